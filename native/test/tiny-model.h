// Random mmproj files of any shape: the files, and the numbers in them for a reference to compute with.
#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

#include "gguf-writer.h"

namespace tiny {

struct Shape {
    const char* name;
    ggml_type type = GGML_TYPE_F32;
    int64_t image = 14;
    int64_t patch = 7;
    int64_t heads = 2;
    int64_t head_size = 8;
    int64_t intermediate = 24;
    int64_t layers = 2;
    int64_t q_heads = 2;
    int64_t q_head_size = 8;
    int64_t q_intermediate = 20;
    int64_t q_layers = 2;
    int64_t frequency = 2;
    int64_t queries = 4;
    int64_t context = 9;
    int64_t vocabulary = 13;
    int64_t language = 10;
    bool text_input = true;
    // Large and different, so that taking one for the other shows.
    float eps = 0.01F;
    float post_eps = 0.3F;
    float q_eps = 1e-12F;

    int64_t hidden() const { return heads * head_size; }
    int64_t q_hidden() const { return q_heads * q_head_size; }
    int64_t grid() const { return image / patch; }
    int64_t tokens() const { return grid() * grid() + 1; }
};

struct Model {
    Shape shape;
    gguf_writer::File file;
    std::map<std::string, std::vector<double>> values;  // as the file keeps them
};

class Maker {
  public:
    Maker(const Shape& shape, unsigned seed) : random_(seed) { model_.shape = shape; }

    Model make() {
        add_keys();
        add_vision();
        add_qformer();
        return std::move(model_);
    }

  private:
    void add(const std::string& name, ggml_type type, const std::vector<int64_t>& shape, float deviation, float mean) {
        size_t count = 1;
        for (const int64_t length : shape) count *= static_cast<size_t>(length);
        std::normal_distribution<float> normal(mean, deviation);
        std::vector<float> values(count);
        for (float& value : values) value = normal(random_);
        std::string data = gguf_writer::encode(type, values, shape.back());
        values = gguf_writer::decode(type, data, count);
        model_.values[name].assign(values.begin(), values.end());
        model_.file.tensors.push_back({name, type, shape, std::move(data)});
    }

    // The file's type where rows can have it, else F16: as `instructblip convert` writes them.
    ggml_type matrix_type(int64_t row_length) const {
        const ggml_type type = model_.shape.type;
        return row_length % ggml_blck_size(type) == 0 ? type : GGML_TYPE_F16;
    }

    void add_vector(const std::string& name, const std::vector<int64_t>& shape, float mean = 0) {
        add(name, GGML_TYPE_F32, shape, 0.3F, mean);
    }
    void add_linear(const std::string& name, int64_t out, int64_t in) {
        add(name + ".weight", matrix_type(in), {out, in}, 1.0F / std::sqrt(static_cast<float>(in)), 0);
        add_vector(name + ".bias", {out});
    }
    void add_norm(const std::string& name, int64_t size) {
        add_vector(name + ".weight", {size}, 1);
        add_vector(name + ".bias", {size});
    }

    void add_vision() {
        const Shape& s = model_.shape;
        const int64_t hidden = s.hidden();
        add_vector("v.class_embd", {hidden});
        const bool wide = s.type == GGML_TYPE_F32 || s.type == GGML_TYPE_BF16;
        add("v.patch_embd.weight", wide ? GGML_TYPE_F32 : GGML_TYPE_F16, {hidden, 3, s.patch, s.patch},
            1.0F / std::sqrt(3.0F * static_cast<float>(s.patch * s.patch)), 0);
        add_vector("v.patch_embd.bias", {hidden});
        add_vector("v.position_embd.weight", {s.tokens(), hidden});
        for (int64_t i = 0; i < s.layers; ++i) {
            const std::string name = "v.blk." + std::to_string(i);
            add_norm(name + ".ln1", hidden);
            add_linear(name + ".attn_qkv", 3 * hidden, hidden);
            add_linear(name + ".attn_out", hidden, hidden);
            add_norm(name + ".ln2", hidden);
            add_linear(name + ".ffn_up", s.intermediate, hidden);
            add_linear(name + ".ffn_down", hidden, s.intermediate);
        }
        add_norm("v.post_ln", hidden);
    }

    void add_attention(const std::string& name, int64_t key_size) {
        const int64_t hidden = model_.shape.q_hidden();
        add_linear(name + "_q", hidden, hidden);
        add_linear(name + "_k", hidden, key_size);
        add_linear(name + "_v", hidden, key_size);
        add_linear(name + "_out", hidden, hidden);
        add_norm(name + "_norm", hidden);
    }
    void add_feed_forward(const std::string& name) {
        add_linear(name + "_up", model_.shape.q_intermediate, model_.shape.q_hidden());
        add_linear(name + "_down", model_.shape.q_hidden(), model_.shape.q_intermediate);
        add_norm(name + "_norm", model_.shape.q_hidden());
    }

    void add_qformer() {
        const Shape& s = model_.shape;
        const int64_t hidden = s.q_hidden();
        add_vector("v.proj_query", {s.queries, hidden});
        if (s.text_input) {
            add("v.proj_embd.tokens.weight", matrix_type(hidden), {s.vocabulary, hidden}, 0.5F, 0);
            add_vector("v.proj_embd.position.weight", {s.context, hidden});
        }
        add_norm("v.proj_norm", hidden);
        for (int64_t i = 0; i < s.q_layers; ++i) {
            const std::string name = "v.proj_blk." + std::to_string(i);
            add_attention(name + ".self_attn", hidden);
            if (i % s.frequency == 0) add_attention(name + ".cross_attn", s.hidden());
            add_feed_forward(name + ".ffn");
            if (s.text_input && i + 1 < s.q_layers) add_feed_forward(name + ".ffn_text");
        }
        add_linear("v.proj_linear", s.language, hidden);
    }

    void add_keys() {
        using namespace gguf_writer;
        const Shape& s = model_.shape;
        const auto number = [&](const std::string& key, int64_t value) {
            model_.file.entries.push_back(u32(key, static_cast<uint32_t>(value)));
        };
        auto& entries = model_.file.entries;
        entries.push_back(string("general.architecture", "clip"));
        entries.push_back(string("general.type", "mmproj"));
        entries.push_back(string("general.name", "tiny"));
        number("general.file_type", 0);
        entries.push_back(boolean("clip.has_vision_encoder", true));
        entries.push_back(string("clip.projector_type", "instructblip"));
        number("clip.vision.image_size", s.image);
        number("clip.vision.patch_size", s.patch);
        number("clip.vision.embedding_length", s.hidden());
        number("clip.vision.feed_forward_length", s.intermediate);
        number("clip.vision.block_count", s.layers);
        number("clip.vision.attention.head_count", s.heads);
        entries.push_back(f32("clip.vision.attention.layer_norm_epsilon", s.eps));
        number("clip.vision.projection_dim", s.language);
        entries.push_back(array<float>("clip.vision.image_mean", GgufType::f32, {0.5F, 0.25F, 0.125F}));
        entries.push_back(array<float>("clip.vision.image_std", GgufType::f32, {0.5F, 0.75F, 1}));
        entries.push_back(f32("instructblip.vision.post_layernorm_epsilon", s.post_eps));
        entries.push_back(string("instructblip.vision.hidden_act", "gelu"));
        number("instructblip.qformer.embedding_length", s.q_hidden());
        number("instructblip.qformer.feed_forward_length", s.q_intermediate);
        number("instructblip.qformer.block_count", s.q_layers);
        number("instructblip.qformer.attention.head_count", s.q_heads);
        entries.push_back(f32("instructblip.qformer.attention.layer_norm_epsilon", s.q_eps));
        number("instructblip.qformer.cross_attention_frequency", s.frequency);
        number("instructblip.qformer.context_length", s.context);
        number("instructblip.qformer.vocab_size", s.vocabulary);
        entries.push_back(string("instructblip.qformer.hidden_act", "gelu"));
        entries.push_back(boolean("instructblip.qformer.text_input", s.text_input));
        number("instructblip.query_count", s.queries);
        add_text_keys();
    }

    void add_text_keys() {
        using namespace gguf_writer;
        const Shape& s = model_.shape;
        auto& entries = model_.file.entries;
        entries.push_back(string("instructblip.text.model_type", "llama"));
        entries.push_back(u32("instructblip.text.vocab_size", 32));
        entries.push_back(i32("instructblip.text.prompt_bos_token_id", 2));
        entries.push_back(i32("instructblip.text.bos_token_id", 0));
        entries.push_back(i32("instructblip.text.pad_token_id", -1));
        entries.push_back(array<int32_t>("instructblip.text.eos_token_ids", GgufType::i32, {1}));
        entries.push_back(i32("instructblip.image_token_id", -1));
        entries.push_back(u32("instructblip.image.resample", 3));
        entries.push_back(f64("instructblip.image.rescale_factor", 1.0 / 255));
        entries.push_back(u32("instructblip.image.height", static_cast<uint32_t>(s.image)));
        entries.push_back(u32("instructblip.image.width", static_cast<uint32_t>(s.image)));
        const std::string prefix = "instructblip.qformer.tokenizer.";
        entries.push_back(array<std::string>(prefix + "tokens", GgufType::string,
                                             {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "what", "##s", "is", "?"}));
        entries.push_back(u32(prefix + "cls_token_id", 2));
        entries.push_back(u32(prefix + "sep_token_id", 3));
        entries.push_back(u32(prefix + "pad_token_id", 0));
        entries.push_back(u32(prefix + "unk_token_id", 1));
        entries.push_back(boolean(prefix + "lowercase", true));
        entries.push_back(boolean(prefix + "strip_accents", true));
        entries.push_back(boolean(prefix + "tokenize_chinese_chars", true));
        entries.push_back(array<int32_t>(prefix + "special_tokens", GgufType::i32, {0, 1, 2, 3}));
    }

    std::mt19937 random_;
    Model model_;
};

inline Model make(const Shape& shape, unsigned seed) {
    return Maker(shape, seed).make();
}

inline std::vector<float> random_values(size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> values(count);
    for (float& value : values) value = normal(random);
    return values;
}

}  // namespace tiny
