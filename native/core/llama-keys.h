// The keys of a `llama` file as libllama reads them: each of one exact type (its getters refuse any other, in scalars
// even where the value would fit), with the ranges that keep its asserts and our arithmetic safe.
#pragma once

#include <cstdint>
#include <string>

#include "gguf-file.h"

namespace instructblip {

class LlamaKeys {
  public:
    explicit LlamaKeys(const GgufFile& file) : file_(file) {}

    const GgufFile& file() const { return file_; }
    bool has(const std::string& key) const { return file_.find(key) != nullptr; }

    // Of a key that may be missing.
    void check_type(const std::string& key, GgufType type) const;

    int64_t require_u32(const std::string& key, int64_t minimum, int64_t maximum) const;
    int64_t u32_or(const std::string& key, int64_t fallback, int64_t minimum, int64_t maximum) const;

    // A u32, or an array with one integer per layer, which must all be equal: libllama reads such arrays, but builds
    // tensors and graph of a `llama` model from the first.
    int64_t require_of_layers(const std::string& key, int64_t layers, int64_t minimum, int64_t maximum) const;
    int64_t of_layers_or(const std::string& key, int64_t fallback, int64_t layers, int64_t minimum,
                         int64_t maximum) const;

    float require_f32(const std::string& key, float above, float maximum) const;
    float f32_or(const std::string& key, float fallback, float above, float maximum) const;

    std::string string_or(const std::string& key, const std::string& fallback) const;

    // `key 'K' of FILE must be EXPECTATION, not VALUE`
    [[noreturn]] void throw_invalid(const std::string& key, const std::string& expectation) const;
    [[noreturn]] void throw_unsupported(const std::string& problem) const;

  private:
    const GgufFile& file_;
};

}  // namespace instructblip
