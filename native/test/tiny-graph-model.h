// What the makers of random T5 and OPT files have in common: the file under construction, the numbers in it, the
// tokenizer's keys.
#pragma once

#include <cmath>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gguf-writer.h"

namespace tiny_graph {

using Values = std::vector<double>;

struct Model {
    gguf_writer::File file;
    std::map<std::string, Values> values;  // as the file keeps them
    std::map<std::string, ggml_type> types;
};

inline std::vector<float> random_values(size_t count, unsigned seed, float deviation = 1) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> values(count);
    for (float& value : values) value = normal(random);
    return values;
}

class Maker {
  public:
    Maker(ggml_type type, unsigned seed) : type_(type), random_(seed) {}

  protected:
    void entry(gguf_writer::Entry value) { model_.file.entries.push_back(std::move(value)); }
    void number(const std::string& key, int64_t value) { entry(gguf_writer::u32(key, static_cast<uint32_t>(value))); }

    void add(const std::string& name, ggml_type type, const std::vector<int64_t>& shape, float mean, float deviation) {
        size_t count = 1;
        for (const int64_t length : shape) count *= static_cast<size_t>(length);
        std::normal_distribution<float> normal(mean, deviation);
        std::vector<float> values(count);
        for (float& value : values) value = normal(random_);
        std::string data = gguf_writer::encode(type, values, shape.back());
        values = gguf_writer::decode(type, data, count);
        model_.values[name].assign(values.begin(), values.end());
        model_.types[name] = type;
        model_.file.tensors.push_back({name, type, shape, std::move(data)});
    }
    void add_vector(const std::string& name, int64_t length, float mean) {
        add(name, GGML_TYPE_F32, {length}, mean, 0.3F);
    }
    // `factor`: how much larger the numbers are than those that leave the size of a row as it is.
    void add_matrix(const std::string& name, int64_t rows, int64_t columns, float factor = 1) {
        add(name + ".weight", matrix_type(columns), {rows, columns}, 0,
            factor / std::sqrt(static_cast<float>(columns)));
    }
    // The file's type where rows can have it, else F16: as `instructblip convert` writes them.
    ggml_type matrix_type(int64_t row_length) const {
        return row_length % ggml_blck_size(type_) == 0 ? type_ : GGML_TYPE_F16;
    }

    // `kind`: `t5` or `gpt2`.
    void add_vocabulary(const std::string& kind, int64_t count, int32_t eos) {
        const std::string prefix = "tokenizer.ggml.";
        std::vector<std::string> texts = {"<pad>", "</s>", "<unk>"};
        std::vector<int32_t> types = {3, 3, 2};
        while (static_cast<int64_t>(texts.size()) < count) {
            texts.push_back("t" + std::to_string(texts.size()));
            types.push_back(1);
        }
        texts.resize(static_cast<size_t>(count));
        types.resize(static_cast<size_t>(count));
        entry(gguf_writer::string(prefix + "model", kind));
        entry(gguf_writer::array(prefix + "tokens", gguf_writer::GgufType::string, texts));
        entry(gguf_writer::array(prefix + "token_type", gguf_writer::GgufType::i32, types));
        if (kind == "t5") {
            std::vector<float> scores;
            while (scores.size() < texts.size()) scores.push_back(-0.5F * static_cast<float>(scores.size()));
            entry(gguf_writer::array(prefix + "scores", gguf_writer::GgufType::f32, scores));
            const std::vector<uint8_t> charsmap = {4, 0, 0, 0, 0, 0, 0, 0, 'x', 0};
            entry(gguf_writer::array(prefix + "precompiled_charsmap", gguf_writer::GgufType::u8, charsmap));
            entry(gguf_writer::boolean(prefix + "remove_extra_whitespaces", true));
        } else {
            entry(gguf_writer::array<std::string>(prefix + "merges", gguf_writer::GgufType::string, {"t 3", "t 4"}));
            entry(gguf_writer::string(prefix + "pre", "gpt-2"));
        }
        entry(gguf_writer::boolean(prefix + "add_space_prefix", kind == "t5"));
        number(prefix + "eos_token_id", eos);
        if (count > 2) number(prefix + "unknown_token_id", 2);
        number(prefix + "padding_token_id", 0);
    }

    ggml_type type_;
    std::mt19937 random_;
    Model model_;
};

}  // namespace tiny_graph
