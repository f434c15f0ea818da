// A GGUF file, read and checked by our own bounds-checked reader before ggml or libllama sees it: their asserts end the
// process. No weights are touched.
#pragma once

#include <ggml.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "gguf-value.h"
#include "mapped-file.h"

namespace instructblip {

struct GgufTensor {
    std::string name;
    ggml_type type;
    std::vector<int64_t> shape;  // PyTorch order (outermost first): ggml's `ne` reversed
    uint64_t offset;             // bytes from the start of the file
    uint64_t byte_length;
    const uint8_t* data;  // mapped; lives as long as the file object
};

class GgufFile {
  public:
    // Throws MODEL_NOT_FOUND, MODEL_FILE_UNREADABLE, MODEL_FILE_NOT_GGUF, MODEL_FILE_CORRUPT, MODEL_FILE_UNSUPPORTED
    // (other versions, big-endian, split files).
    static std::shared_ptr<const GgufFile> open(const std::string& path);

    const std::string& path() const { return mapping_.path(); }
    uint32_t version() const { return version_; }
    uint32_t alignment() const { return alignment_; }
    uint64_t data_offset() const { return data_offset_; }  // where the tensors' data start in the file
    uint64_t file_size() const { return mapping_.size(); }
    const MappedFile& mapping() const { return mapping_; }

    // In file order.
    const std::vector<GgufEntry>& metadata() const { return metadata_; }
    const std::vector<GgufTensor>& tensors() const { return tensors_; }

    const GgufEntry* find(const std::string& key) const;  // nullptr when missing
    const GgufTensor* find_tensor(const std::string& name) const;

    // Typed getters: MODEL_FILE_KEY_MISSING, or MODEL_FILE_KEY_INVALID for another type or a value outside
    // minimum..maximum. Any integer type serves for an integer, f32 and f64 for a number (which must be finite).
    int64_t require_integer(const std::string& key, int64_t minimum, int64_t maximum) const;
    double require_number(const std::string& key) const;
    bool require_bool(const std::string& key) const;
    const std::string& require_string(const std::string& key) const;
    std::vector<int64_t> require_integers(const std::string& key, int64_t minimum, int64_t maximum) const;
    std::vector<double> require_numbers(const std::string& key) const;
    const std::vector<std::string>& require_strings(const std::string& key) const;

    // The tensor, of exactly this shape (PyTorch order). Throws MODEL_FILE_TENSOR_MISSING, MODEL_FILE_TENSOR_INVALID.
    const GgufTensor& require_tensor(const std::string& name, const std::vector<int64_t>& shape) const;

    // `key 'K' of FILE must be EXPECTATION` as MODEL_FILE_KEY_INVALID: for checks that the getters do not know.
    [[noreturn]] void throw_key_invalid(const std::string& key, const std::string& expectation) const;

  private:
    explicit GgufFile(const std::string& path);

    const GgufEntry& require(const std::string& key) const;
    void check_not_split() const;

    MappedFile mapping_;
    uint32_t version_ = 0;
    uint32_t alignment_ = 0;
    uint64_t data_offset_ = 0;
    std::vector<GgufEntry> metadata_;
    std::vector<GgufTensor> tensors_;
    std::unordered_map<std::string, size_t> entry_by_key_;
    std::unordered_map<std::string, size_t> tensor_by_name_;
};

// `[2, 3]`
std::string shape_text(const std::vector<int64_t>& shape);

}  // namespace instructblip
