#include "cache-size.h"

#include <algorithm>
#include <string>

#include "error.h"

namespace instructblip {
namespace {

void require_cache_type(const CacheShape& shape, ggml_type type) {
    const int64_t block = ggml_blck_size(type);
    if (shape.key_length % block == 0 && shape.value_length % block == 0) return;
    throw ModelError("OPTION_INVALID", std::string("a cache of type ") + ggml_type_name(type) + " needs heads of " +
                                           std::to_string(block) + " values or a multiple, this model's have " +
                                           std::to_string(shape.key_length) + ": use kvCacheType 'f16'");
}

}  // namespace

uint64_t CacheShape::cell_bytes(ggml_type type) const {
    require_cache_type(*this, type);
    const uint64_t keys = ggml_row_size(type, heads * key_length);
    const uint64_t values = ggml_row_size(type, heads * value_length);
    return static_cast<uint64_t>(layers) * (keys + values);
}

int32_t context_cells(const LanguageModelOptions& options, const CacheShape& shape, ggml_type type, int64_t most) {
    constexpr uint64_t least = 512;
    const uint64_t bytes = shape.cell_bytes(type);
    if (options.context_size < 0 || options.max_sequences < 1 || options.max_sequences > 64) {
        throw ModelError("OPTION_INVALID", "contextSize must be 0 or more and 1..64 sequences, not " +
                                               std::to_string(options.context_size) + " and " +
                                               std::to_string(options.max_sequences));
    }
    if (options.context_size > 0) return options.context_size;
    const uint64_t affordable = std::max(default_cache_bytes / bytes, least);
    return static_cast<int32_t>(std::min(affordable, static_cast<uint64_t>(most)));
}

}  // namespace instructblip
