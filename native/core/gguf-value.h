// One metadata value of a GGUF file.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace instructblip {

// Wire numbers of the value types.
enum class GgufType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

// `u8` … `f64`, `bool`, `string`, `array`: the names of src/native/addon.ts.
const char* gguf_type_name(GgufType type);

// A scalar, or a homogeneous array of scalars.
using GgufValue =
    std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, uint64_t, int64_t, float, double, bool,
                 std::string, std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>, std::vector<int16_t>,
                 std::vector<uint32_t>, std::vector<int32_t>, std::vector<uint64_t>, std::vector<int64_t>,
                 std::vector<float>, std::vector<double>, std::vector<bool>, std::vector<std::string>>;

struct GgufEntry {
    std::string key;
    GgufType type;
    GgufType element_type;  // of an array; otherwise equal to `type`
    GgufValue value;
};

}  // namespace instructblip
