// Rows of floats to rows of a ggml type and back. Needs no device.
#pragma once

#include <ggml.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cancel-token.h"

namespace instructblip {

// Bytes of one row of `row_length` values in ggml type `type` (`f32`, `q8_0`, `q4_K`, …); 0 when the type is unknown or
// cannot hold such a row.
size_t row_byte_length(const std::string& type, int64_t row_length);

// `count` values, whole blocks of a type that can be converted to floats.
void to_floats(ggml_type type, const uint8_t* from, int64_t count, float* to);

// values: [rows, row_length]. The rows are shared out among the cores.
std::vector<uint8_t> quantize_rows(const std::string& type, const std::vector<float>& values, int64_t row_length,
                                   const CancelToken& cancel);
std::vector<float> dequantize_rows(const std::string& type, const std::vector<uint8_t>& bytes, int64_t row_length,
                                   const CancelToken& cancel);

}  // namespace instructblip
