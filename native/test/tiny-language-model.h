// Random language model files of the `llama` architecture, of any shape, with a small SentencePiece vocabulary.
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gguf-writer.h"

namespace tiny_language {

struct Shape {
    ggml_type type = GGML_TYPE_F32;
    ggml_type output_type = GGML_TYPE_COUNT;  // COUNT: as `type`
    int64_t hidden = 32;
    int64_t heads = 4;
    int64_t kv_heads = 2;
    int64_t head_size = 8;
    int64_t value_size = 8;  // another one makes a file that must be refused
    int64_t intermediate = 64;
    int64_t layers = 1;
    bool tied = false;
    bool biases = false;
    bool fused = false;     // one matrix for queries, keys and values
    bool all_keys = false;  // every optional key that libllama reads
};

constexpr int bos = 1;
constexpr int eos = 2;

struct Token {
    std::string text;
    float score;
    int32_t type;  // 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
};

inline std::string byte_text(int byte) {
    const char* const digits = "0123456789ABCDEF";
    return std::string("<0x") + digits[byte >> 4] + digits[byte & 15] + ">";
}

// As LLaMA's: three special tokens, the bytes, pieces with falling scores.
inline std::vector<Token> vocabulary() {
    std::vector<Token> tokens = {{"<unk>", 0, 2}, {"<s>", 0, 3}, {"</s>", 0, 3}};
    for (int byte = 0; byte < 256; ++byte) tokens.push_back({byte_text(byte), 0, 6});
    float score = 0;
    for (const char* const text : {"▁t", "he", "▁the", "▁a", "▁", "t", "h", "e", "a", "☃"}) {
        tokens.push_back({text, --score, 1});
    }
    tokens.push_back({"[image]", -1000, 4});
    tokens.push_back({"[PAD]", -10000, 5});
    return tokens;
}

class Maker {
  public:
    Maker(const Shape& shape, unsigned seed) : shape_(shape), random_(seed) {}

    gguf_writer::File make() {
        add_keys();
        add_vocabulary();
        if (shape_.all_keys) add_optional_keys();
        add_tensors();
        return std::move(file_);
    }

  private:
    void entry(gguf_writer::Entry value) { file_.entries.push_back(std::move(value)); }
    void number(const std::string& key, int64_t value) {
        entry(gguf_writer::u32("llama." + key, static_cast<uint32_t>(value)));
    }

    void add_keys() {
        entry(gguf_writer::string("general.architecture", "llama"));
        entry(gguf_writer::string("general.name", "tiny"));
        number("context_length", 64);
        number("embedding_length", shape_.hidden);
        number("block_count", shape_.layers);
        number("feed_forward_length", shape_.intermediate);
        number("attention.head_count", shape_.heads);
        number("attention.head_count_kv", shape_.kv_heads);
        entry(gguf_writer::f32("llama.attention.layer_norm_rms_epsilon", 1e-6F));
        if (shape_.all_keys || shape_.head_size * shape_.heads != shape_.hidden ||
            shape_.value_size != shape_.head_size) {
            number("attention.key_length", shape_.head_size);
            number("attention.value_length", shape_.value_size);
        }
        number("rope.dimension_count", shape_.head_size);
    }

    void add_vocabulary() {
        std::vector<std::string> texts;
        std::vector<float> scores;
        std::vector<int32_t> types;
        for (const Token& token : vocabulary()) {
            texts.push_back(token.text);
            scores.push_back(token.score);
            types.push_back(token.type);
        }
        const std::string prefix = "tokenizer.ggml.";
        entry(gguf_writer::string(prefix + "model", "llama"));
        entry(gguf_writer::array(prefix + "tokens", instructblip::GgufType::string, texts));
        entry(gguf_writer::array(prefix + "scores", instructblip::GgufType::f32, scores));
        entry(gguf_writer::array(prefix + "token_type", instructblip::GgufType::i32, types));
        entry(gguf_writer::u32(prefix + "bos_token_id", bos));
        entry(gguf_writer::u32(prefix + "eos_token_id", eos));
        entry(gguf_writer::u32(prefix + "unknown_token_id", 0));
    }

    // With values that change nothing.
    void add_optional_keys() {
        entry(gguf_writer::u32("general.file_type", 0));
        entry(gguf_writer::u32("general.alignment", 32));
        entry(gguf_writer::scalar<uint16_t>("split.count", instructblip::GgufType::u16, 1));
        number("vocab_size", static_cast<int64_t>(vocabulary().size()));
        number("embedding_length_out", shape_.hidden);
        entry(gguf_writer::boolean("llama.attention.causal", true));
        for (const char* const key : {"pooling_type", "nextn_predict_layers", "expert_count", "expert_used_count",
                                      "expert_group_count", "expert_group_used_count"}) {
            number(key, 0);
        }
        number("attention.key_length_swa", shape_.head_size);
        number("attention.value_length_swa", shape_.head_size);
        number("rope.dimension_count_swa", shape_.head_size);
        entry(gguf_writer::f32("llama.rope.freq_base", 10000));
        entry(gguf_writer::string("llama.rope.scaling.type", "linear"));
        entry(gguf_writer::f32("llama.rope.scaling.factor", 1));
        entry(gguf_writer::f32("llama.rope.scale_linear", 1));
        entry(gguf_writer::f32("llama.rope.scaling.attn_factor", 1));
        entry(gguf_writer::f32("llama.rope.scaling.alpha", 0));
        number("rope.scaling.original_context_length", 64);
        entry(gguf_writer::boolean("llama.rope.scaling.finetuned", false));
        add_optional_tokenizer_keys();
    }

    void add_optional_tokenizer_keys() {
        const std::string prefix = "tokenizer.ggml.";
        entry(gguf_writer::string(prefix + "pre", "default"));
        entry(gguf_writer::u32(prefix + "token_type_count", 1));
        for (const char* const name : {"eot", "eom", "seperator", "padding", "mask", "fim_pre", "fim_suf", "fim_mid",
                                       "fim_pad", "fim_rep", "fim_sep", "prefix", "suffix", "middle"}) {
            entry(gguf_writer::u32(prefix + name + "_token_id", 0));
        }
        for (const char* const name : {"add_space_prefix", "add_bos_token"}) {
            entry(gguf_writer::boolean(prefix + name, true));
        }
        for (const char* const name : {"add_eos_token", "add_sep_token", "remove_extra_whitespaces",
                                       "normalizer.lowercase", "normalizer.strip_accents"}) {
            entry(gguf_writer::boolean(prefix + name, false));
        }
        entry(gguf_writer::array<int32_t>(prefix + "suppress_tokens", instructblip::GgufType::i32, {0}));
        entry(gguf_writer::string("tokenizer.chat_template", "{{ messages }}"));
    }

    void add(const std::string& name, ggml_type type, const std::vector<int64_t>& shape, float mean, float deviation) {
        size_t count = 1;
        for (const int64_t length : shape) count *= static_cast<size_t>(length);
        std::normal_distribution<float> normal(mean, deviation);
        std::vector<float> values(count);
        for (float& value : values) value = normal(random_);
        file_.tensors.push_back({name, type, shape, gguf_writer::encode(type, values, shape.back())});
    }
    void add_vector(const std::string& name, int64_t length, float mean) {
        add(name, GGML_TYPE_F32, {length}, mean, 0.1F);
    }
    void add_matrix(const std::string& name, int64_t rows, int64_t columns) {
        add(name + ".weight", shape_.type, {rows, columns}, 0, 1.0F / std::sqrt(static_cast<float>(columns)));
        if (shape_.biases) add_vector(name + ".bias", rows, 0);
    }

    void add_tensors() {
        const auto tokens = static_cast<int64_t>(vocabulary().size());
        add("token_embd.weight", shape_.type, {tokens, shape_.hidden}, 0, 1);
        add_vector("output_norm.weight", shape_.hidden, 1);
        const ggml_type output = shape_.output_type == GGML_TYPE_COUNT ? shape_.type : shape_.output_type;
        if (!shape_.tied) add("output.weight", output, {tokens, shape_.hidden}, 0, 0.2F);
        if (shape_.all_keys) add_vector("rope_freqs.weight", shape_.head_size / 2, 1);
        for (int64_t i = 0; i < shape_.layers; ++i) add_layer("blk." + std::to_string(i) + ".");
    }

    void add_layer(const std::string& layer) {
        const int64_t queries = shape_.heads * shape_.head_size;
        const int64_t keys = shape_.kv_heads * shape_.head_size;
        const int64_t values = shape_.kv_heads * shape_.value_size;
        add_vector(layer + "attn_norm.weight", shape_.hidden, 1);
        if (shape_.fused) {
            add_matrix(layer + "attn_qkv", queries + keys + values, shape_.hidden);
        } else {
            add_matrix(layer + "attn_q", queries, shape_.hidden);
            add_matrix(layer + "attn_k", keys, shape_.hidden);
            add_matrix(layer + "attn_v", values, shape_.hidden);
        }
        add_matrix(layer + "attn_output", shape_.hidden, queries);
        add_vector(layer + "ffn_norm.weight", shape_.hidden, 1);
        add_matrix(layer + "ffn_gate", shape_.intermediate, shape_.hidden);
        add_matrix(layer + "ffn_up", shape_.intermediate, shape_.hidden);
        add_matrix(layer + "ffn_down", shape_.hidden, shape_.intermediate);
    }

    Shape shape_;
    std::mt19937 random_;
    gguf_writer::File file_;
};

inline gguf_writer::File make(const Shape& shape, unsigned seed) {
    return Maker(shape, seed).make();
}

}  // namespace tiny_language
