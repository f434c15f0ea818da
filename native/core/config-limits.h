// Upper bounds of what a file may ask for, several times those of any InstructBLIP: products of them stay far below
// 2^63, and what a damaged file can make us allocate stays bounded.
#pragma once

#include <cstdint>
#include <string>

#include "gguf-file.h"

namespace instructblip {

namespace limits {
constexpr int64_t hidden = 32768;
constexpr int64_t intermediate = 4 * hidden;
constexpr int64_t layers = 256;
constexpr int64_t heads = 256;
constexpr int64_t positions = 1 << 20;
constexpr int64_t buckets = 4096;
constexpr int64_t vocabulary = 1 << 24;
}  // namespace limits

// The epsilon of a norm. Throws MODEL_FILE_KEY_MISSING, MODEL_FILE_KEY_INVALID.
float require_epsilon(const GgufFile& file, const std::string& key);

}  // namespace instructblip
