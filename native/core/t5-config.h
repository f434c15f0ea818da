// What a `t5` file says about its model (HF's T5Config): read from its keys (docs/gguf.md), validated.
#pragma once

#include <cstdint>

#include "activation.h"
#include "cache-size.h"
#include "gguf-file.h"

namespace instructblip {

struct T5Config {
    int64_t vocab_size;
    int64_t d_model;
    int64_t d_kv;  // values of one head
    int64_t d_ff;
    int64_t num_layers;  // of the encoder
    int64_t num_decoder_layers;
    int64_t num_heads;
    int64_t relative_attention_num_buckets;
    int64_t relative_attention_max_distance;
    float layer_norm_epsilon;
    Activation dense_act_fn;
    bool is_gated_act;
    bool tie_word_embeddings;

    int64_t inner_size() const { return num_heads * d_kv; }  // of attention; need not be d_model
    CacheShape cache_shape() const { return {num_decoder_layers, num_heads, d_kv, d_kv}; }

    // Throws MODEL_FILE_KEY_MISSING, MODEL_FILE_KEY_INVALID, MODEL_FILE_UNSUPPORTED.
    static T5Config read(const GgufFile& file);
};

}  // namespace instructblip
