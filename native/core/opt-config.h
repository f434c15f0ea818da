// What an `opt` file says about its model (HF's OPTConfig): read from its keys (docs/gguf.md), validated.
#pragma once

#include <cstdint>

#include "activation.h"
#include "cache-size.h"
#include "gguf-file.h"

namespace instructblip {

struct OptConfig {
    int64_t vocab_size;
    int64_t hidden_size;
    int64_t
        word_embed_proj_dim;  // values of a token's embedding; where it is not hidden_size, matrices lead in and out
    int64_t ffn_dim;
    int64_t num_hidden_layers;
    int64_t num_attention_heads;
    int64_t max_position_embeddings;
    float layer_norm_eps;
    Activation activation_function;
    bool do_layer_norm_before;
    bool has_final_norm;
    bool enable_bias;
    bool tie_word_embeddings;

    int64_t head_size() const { return hidden_size / num_attention_heads; }
    bool has_projections() const { return word_embed_proj_dim != hidden_size; }
    CacheShape cache_shape() const { return {num_hidden_layers, num_attention_heads, head_size(), head_size()}; }

    // Throws MODEL_FILE_KEY_MISSING, MODEL_FILE_KEY_INVALID, MODEL_FILE_UNSUPPORTED.
    static OptConfig read(const GgufFile& file);
};

}  // namespace instructblip
