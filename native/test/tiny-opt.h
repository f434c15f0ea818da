// Random `opt` files of any shape.
#pragma once

#include <string>
#include <utility>

#include "tiny-graph-model.h"

namespace tiny_opt {

struct Shape {
    const char* name = "opt";
    ggml_type type = GGML_TYPE_F32;
    int64_t vocabulary = 21;
    int64_t heads = 3;
    int64_t head_size = 6;
    int64_t width = 18;  // of a token's embedding
    int64_t ffn = 25;
    int64_t layers = 2;
    int64_t positions = 64;
    float eps = 0.01F;
    std::string activation = "relu";
    bool norm_before = true;
    bool final_norm = true;  // only with norm_before
    bool bias = true;
    bool tied = true;

    int64_t hidden() const { return heads * head_size; }
};

constexpr int32_t eos = 1;
constexpr int64_t position_offset = 2;

class Maker : public tiny_graph::Maker {
  public:
    Maker(const Shape& shape, unsigned seed) : tiny_graph::Maker(shape.type, seed), shape_(shape) {}

    tiny_graph::Model make() {
        const int64_t hidden = shape_.hidden();
        add_keys();
        add_vocabulary("gpt2", shape_.vocabulary, eos);
        add("token_embd.weight", matrix_type(shape_.width), {shape_.vocabulary, shape_.width}, 0, 1);
        add("position_embd.weight", GGML_TYPE_F32, {shape_.positions + position_offset, hidden}, 0, 0.5F);
        if (shape_.width != hidden) {
            add_matrix("token_embd_proj", hidden, shape_.width);
            add_matrix("output_proj", shape_.width, hidden);
        }
        for (int64_t i = 0; i < shape_.layers; ++i) add_layer("blk." + std::to_string(i));
        if (shape_.norm_before && shape_.final_norm) add_norm("output_norm");
        if (!shape_.tied) add_matrix("output", shape_.vocabulary, shape_.width);
        return std::move(model_);
    }

  private:
    void add_keys() {
        entry(gguf_writer::string("general.architecture", "opt"));
        entry(gguf_writer::string("general.name", "tiny"));
        number("opt.context_length", shape_.positions);
        number("opt.embedding_length", shape_.hidden());
        number("opt.feed_forward_length", shape_.ffn);
        number("opt.block_count", shape_.layers);
        number("opt.attention.head_count", shape_.heads);
        entry(gguf_writer::f32("opt.attention.layer_norm_epsilon", shape_.eps));
        number("opt.word_embed_proj_dim", shape_.width);
        entry(gguf_writer::boolean("opt.do_layer_norm_before", shape_.norm_before));
        entry(gguf_writer::string("opt.activation_function", shape_.activation));
    }

    void add_linear(const std::string& name, int64_t rows, int64_t columns) {
        add_matrix(name, rows, columns);
        if (shape_.bias) add_vector(name + ".bias", rows, 0);
    }
    void add_norm(const std::string& name) {
        add_vector(name + ".weight", shape_.hidden(), 1);
        add_vector(name + ".bias", shape_.hidden(), 0);
    }

    void add_layer(const std::string& name) {
        const int64_t hidden = shape_.hidden();
        add_norm(name + ".attn_norm");
        for (const char* const part : {".attn_q", ".attn_k", ".attn_v", ".attn_output"}) {
            add_linear(name + part, hidden, hidden);
        }
        add_norm(name + ".ffn_norm");
        add_linear(name + ".ffn_up", shape_.ffn, hidden);
        add_linear(name + ".ffn_down", hidden, shape_.ffn);
    }

    Shape shape_;
};

inline tiny_graph::Model make(const Shape& shape, unsigned seed) {
    return Maker(shape, seed).make();
}

}  // namespace tiny_opt
