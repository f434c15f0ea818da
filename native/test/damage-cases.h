// Altered language model files: each is refused with a ModelError, or loads and runs. None crashes.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "gguf-writer.h"
#include "isolated.h"

namespace damage {

using namespace gguf_writer;

#if defined(__SANITIZE_ADDRESS__)
[[maybe_unused]] constexpr size_t stride = 4;  // of the many like cases; sanitizers make each slow
#else
[[maybe_unused]] constexpr size_t stride = 1;
#endif

[[maybe_unused]] const char* const refused = "refused";  // with any code
[[maybe_unused]] const char* const any = "any";

struct Case {
    std::string name;
    std::string expected;  // a code, `nothing`, `refused` or `any`
    std::function<std::string()> bytes;
};

class AlteredFiles {
  public:
    // `load` loads and runs a file: the code of the error, `nothing`, or what went wrong otherwise.
    using Load = std::function<std::string(const std::string& path, size_t index)>;
    AlteredFiles(File sound, Load load) : sound_(std::move(sound)), load_(std::move(load)) {}

    const File& sound() const { return sound_; }

    void add(const std::string& name, const std::string& expected, std::function<std::string()> bytes) {
        cases_.push_back({name, expected, std::move(bytes)});
    }
    void add(const std::string& name, const std::string& expected, const std::function<void(File&)>& alter) {
        add(name, expected, [this, alter] {
            File file = sound_;
            alter(file);
            return file.bytes();
        });
    }

    void run() const {
        const TemporaryFile file("");
        const std::vector<std::string> results = isolated::run(cases_.size(), [&](size_t i) {
            file.write(cases_[i].bytes());
            return load_(file.path(), i);
        });
        std::map<std::string, int> codes;
        for (size_t i = 0; i < results.size(); ++i) {
            judge(cases_[i], results[i]);
            ++codes[results[i].substr(0, results[i].find(':'))];
        }
        CHECK(results.size() == cases_.size());
        std::printf("%zu files:", results.size());
        for (const auto& [code, count] : codes) std::printf(" %s %d", code.c_str(), count);
        std::printf("\n");
    }

  private:
    static void judge(const Case& one, const std::string& result) {
        const bool typed = result.rfind("MODEL_FILE_", 0) == 0;
        const bool right = one.expected == any       ? typed || result == "nothing"
                           : one.expected == refused ? typed
                                                     : result == one.expected;
        CHECK_THAT(right, one.name + ": expected " + one.expected + ", got " + result);
    }

    File sound_;
    Load load_;
    std::vector<Case> cases_;
};

// The number of an entry, 1 for what is none.
inline int64_t number_of(const Entry& entry) {
    uint32_t value = 1;
    if (entry.type == GgufType::u32) std::memcpy(&value, entry.value.data(), sizeof(value));
    return value;
}

// The same number, in every type.
inline std::vector<Entry> retyped(const Entry& entry) {
    const std::string& key = entry.key;
    const int64_t n = number_of(entry);
    const auto number = static_cast<float>(n);
    return {
        scalar(key, GgufType::u8, static_cast<uint8_t>(n)),
        scalar(key, GgufType::i8, static_cast<int8_t>(n)),
        scalar(key, GgufType::u16, static_cast<uint16_t>(n)),
        scalar(key, GgufType::i16, static_cast<int16_t>(n)),
        u32(key, static_cast<uint32_t>(n)),
        i32(key, static_cast<int32_t>(n)),
        scalar(key, GgufType::u64, static_cast<uint64_t>(n)),
        scalar(key, GgufType::i64, n),
        f32(key, number),
        f64(key, number),
        boolean(key, n != 0),
        string(key, std::to_string(n)),
        array<uint8_t>(key, GgufType::u8, {}),
        array<uint8_t>(key, GgufType::boolean, {1}),
        array<uint32_t>(key, GgufType::u32, {static_cast<uint32_t>(n)}),
        array<int32_t>(key, GgufType::i32, {static_cast<int32_t>(n)}),
        array<int64_t>(key, GgufType::i64, {n}),
        array<float>(key, GgufType::f32, {number}),
        array<std::string>(key, GgufType::string, {std::to_string(n)}),
    };
}

inline std::vector<std::string> extremes(const Entry& entry) {
    std::vector<std::string> values;
    if (entry.type == GgufType::u32) {
        const auto n = static_cast<uint32_t>(number_of(entry));
        for (const uint32_t value : {0U, 1U, 2U, 3U, 5U, n + 1, n - 1, n * 2, n / 2, n * 3, 255U, 512U, 513U, 65536U,
                                     0x7FFFFFFFU, 0x80000000U, 0xFFFFFFFFU}) {
            values.push_back(Bytes().put(value).text());
        }
    } else if (entry.type == GgufType::f32) {
        for (const float value : {0.0F, -0.0F, 1.0F, -1.0F, 1e-45F, -1e-45F, 1e-6F, 2.0F, 1e30F, -1e30F, INFINITY,
                                  -INFINITY, std::nanf(""), std::numeric_limits<float>::max()}) {
            values.push_back(Bytes().put(value).text());
        }
    } else if (entry.type == GgufType::u16) {
        for (const uint16_t value : {0, 1, 2, 65535}) values.push_back(Bytes().put(value).text());
    } else if (entry.type == GgufType::boolean) {
        for (const uint8_t value : {0, 1, 2, 255}) values.push_back(Bytes().put(value).text());
    } else if (entry.type == GgufType::string) {
        for (const std::string& value :
             {std::string(), std::string("x"), std::string(20000, 'x'), std::string("llama\0", 6),
              std::string("\xFF\xFE"), std::string("%s%n%s"), std::string("none"), std::string("yarn"),
              std::string("longrope"), std::string("phi-3 Phi3"), std::string("gpt2"), std::string("t5"),
              std::string("bert"), std::string("no_vocab"), std::string("jina-v2-de"), std::string("clip"),
              std::string("llama")}) {
            values.push_back(Bytes().string(value).text());
        }
    }
    return values;
}

// As much data as the type and shape want; zeros.
inline void refit(Tensor& tensor) {
    size_t rows = 1;
    for (size_t i = 0; i + 1 < tensor.shape.size(); ++i) rows *= static_cast<size_t>(tensor.shape[i]);
    const auto type = static_cast<ggml_type>(tensor.type);
    const auto length = static_cast<size_t>(tensor.shape.back());
    const int64_t block = tensor.type < GGML_TYPE_COUNT ? ggml_blck_size(type) : 0;
    const bool whole = block > 0 && tensor.shape.back() % block == 0;
    const size_t row = whole ? ggml_row_size(type, tensor.shape.back()) : length;
    tensor.data.resize(rows * row, '\0');
}

}  // namespace damage
