// How large the KV cache of a language model is.
#pragma once

#include <ggml.h>

#include <cstdint>
#include <optional>

namespace instructblip {

struct LanguageModelOptions {
    int32_t gpu_layers = -1;                 // layers on the device that computes; -1 = all
    int32_t context_size = 0;                // cells of the KV cache; 0 = as many as 320 MiB hold, see context_cells()
    int32_t max_sequences = 1;               // rows that may live at once, of all sessions
    std::optional<ggml_type> kv_cache_type;  // none: what suits the model
};

// One cell holds keys and values of one token in every layer.
struct CacheShape {
    int64_t layers;
    int64_t heads;
    int64_t key_length;    // of one head
    int64_t value_length;  // of one head

    // Throws OPTION_INVALID for a type that the heads do not fit.
    uint64_t cell_bytes(ggml_type type) const;
};

// What a cache may take when its size is not asked for.
constexpr uint64_t default_cache_bytes = uint64_t{320} << 20;

// The cells of a cache: what the options ask for, or `most` as far as default_cache_bytes hold it (640 cells of
// Vicuna-7B in F16), but at least 512 of it. Throws OPTION_INVALID for options out of range, or a type that the heads
// do not fit.
int32_t context_cells(const LanguageModelOptions& options, const CacheShape& shape, ggml_type type, int64_t most);

}  // namespace instructblip
