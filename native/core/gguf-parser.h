// Reads the header of a GGUF file from untrusted bytes: every count, length, offset and type is checked before it is
// used. Only the reader (gguf-file) includes this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gguf-file.h"

namespace instructblip {

struct GgufHeader {
    uint32_t version;
    uint32_t alignment;
    uint64_t data_offset;  // where the tensors' data start in the file
    std::vector<GgufEntry> metadata;
    std::vector<GgufTensor> tensors;
};

// Throws MODEL_FILE_NOT_GGUF, MODEL_FILE_CORRUPT, MODEL_FILE_UNSUPPORTED; `path` is for messages.
GgufHeader parse_gguf(const std::string& path, const uint8_t* data, size_t size);

}  // namespace instructblip
