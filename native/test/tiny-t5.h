// Random `t5` files of any shape.
#pragma once

#include <string>
#include <utility>

#include "tiny-graph-model.h"

namespace tiny_t5 {

struct Shape {
    const char* name = "t5";
    ggml_type type = GGML_TYPE_F32;
    int64_t vocabulary = 23;
    int64_t d_model = 12;
    int64_t heads = 3;
    int64_t d_kv = 5;
    int64_t d_ff = 20;
    int64_t layers = 2;
    int64_t decoder_layers = 3;
    int64_t buckets = 9;
    int64_t max_distance = 20;
    float eps = 0.01F;
    std::string activation = "gelu";
    bool gated = true;
    bool tied = false;
    float norm_factor = 1;  // in front of the feed-forwards,
    float up_factor = 1;    // inside: both make their activations larger
    float down_factor = 1;  // and behind
    bool few_keys = false;  // only those that llama.cpp writes: max_distance 128, activation `gelu`

    int64_t inner() const { return heads * d_kv; }
};

constexpr int32_t eos = 1;
constexpr int32_t decoder_start = 0;

class Maker : public tiny_graph::Maker {
  public:
    Maker(const Shape& shape, unsigned seed) : tiny_graph::Maker(shape.type, seed), shape_(shape) {}

    tiny_graph::Model make() {
        add_keys();
        add_vocabulary("t5", shape_.vocabulary, eos);
        add("token_embd.weight", matrix_type(shape_.d_model), {shape_.vocabulary, shape_.d_model}, 0, 1);
        if (!shape_.tied) add_matrix("output", shape_.vocabulary, shape_.d_model);
        add_stack("enc", shape_.layers, false);
        add_stack("dec", shape_.decoder_layers, true);
        return std::move(model_);
    }

  private:
    void add_keys() {
        entry(gguf_writer::string("general.architecture", "t5"));
        entry(gguf_writer::string("general.name", "tiny"));
        number("t5.context_length", 512);
        number("t5.embedding_length", shape_.d_model);
        number("t5.feed_forward_length", shape_.d_ff);
        number("t5.block_count", shape_.layers);
        if (!shape_.few_keys || shape_.layers != shape_.decoder_layers) {
            number("t5.decoder_block_count", shape_.decoder_layers);
        }
        number("t5.attention.head_count", shape_.heads);
        number("t5.attention.key_length", shape_.d_kv);
        number("t5.attention.value_length", shape_.d_kv);
        entry(gguf_writer::f32("t5.attention.layer_norm_epsilon", shape_.eps));
        entry(gguf_writer::f32("t5.attention.layer_norm_rms_epsilon", shape_.eps));
        number("t5.attention.relative_buckets_count", shape_.buckets);
        number("t5.decoder_start_token_id", decoder_start);
        if (shape_.few_keys) return;
        number("instructblip.t5.relative_attention_max_distance", shape_.max_distance);
        entry(gguf_writer::string("instructblip.t5.dense_act_fn", shape_.activation));
    }

    void add_attention(const std::string& name) {
        // Scores are not scaled in the model: as HF begins, the weights are.
        add_matrix(name + "_q", shape_.inner(), shape_.d_model, 1 / std::sqrt(static_cast<float>(shape_.d_kv)));
        add_matrix(name + "_k", shape_.inner(), shape_.d_model);
        add_matrix(name + "_v", shape_.inner(), shape_.d_model);
        add_matrix(name + "_o", shape_.d_model, shape_.inner());
        add_vector(name + "_norm.weight", shape_.d_model, 1);
    }

    void add_stack(const std::string& stage, int64_t layers, bool is_decoder) {
        add(stage + ".blk.0.attn_rel_b.weight", GGML_TYPE_F32, {shape_.buckets, shape_.heads}, 0, 1);
        for (int64_t i = 0; i < layers; ++i) {
            const std::string name = stage + ".blk." + std::to_string(i);
            add_attention(name + ".attn");
            if (is_decoder) add_attention(name + ".cross_attn");
            add_vector(name + ".ffn_norm.weight", shape_.d_model, shape_.norm_factor);
            if (shape_.gated) add_matrix(name + ".ffn_gate", shape_.d_ff, shape_.d_model);
            add_matrix(name + ".ffn_up", shape_.d_ff, shape_.d_model, shape_.up_factor);
            add_matrix(name + ".ffn_down", shape_.d_model, shape_.d_ff, shape_.down_factor);
        }
        add_vector(stage + ".output_norm.weight", shape_.d_model, 1);
    }

    Shape shape_;
};

inline tiny_graph::Model make(const Shape& shape, unsigned seed) {
    return Maker(shape, seed).make();
}

}  // namespace tiny_t5
