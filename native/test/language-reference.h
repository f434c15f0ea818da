// T5 and OPT in plain loops and double precision, written from transformers' code and not from our graphs: what the
// graphs are compared with. No cache: every answer is computed from the beginning. Matrices are row-major.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "tiny-graph-model.h"
#include "tiny-opt.h"
#include "tiny-t5.h"

namespace language_reference {

using tiny_graph::Values;

struct Input {
    std::vector<float> soft_tokens;
    std::vector<int32_t> tokens;
    std::vector<int32_t> answer;  // what the decoder has read; of T5 at least the start token
};

inline double activate(const std::string& name, double x) {
    if (name == "relu") return std::max(x, 0.0);
    if (name == "silu") return x / (1 + std::exp(-x));
    if (name == "gelu") return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    const double pi = std::acos(-1.0);  // gelu_new
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / pi) * (x + 0.044715 * x * x * x)));
}

// One block of a row as ggml's 8-bit types keep it: as multiples of a step, which Q8_0 and Q8_1 keep as F16, Q8_K not.
inline void round_block(double* x, int64_t size, bool half_step) {
    double largest = 0;
    for (int64_t i = 0; i < size; ++i) {
        if (std::abs(x[i]) > std::abs(largest)) largest = x[i];
    }
    if (largest == 0) return;
    const double step = largest / 127;
    const double kept =
        half_step ? static_cast<double>(ggml_fp16_to_fp32(ggml_fp32_to_fp16(static_cast<float>(step)))) : step;
    for (int64_t i = 0; i < size; ++i) x[i] = std::round(x[i] / step) * kept;
}

// What a product with a weight of this type makes of its right side.
inline Values rounded_for(ggml_type weight, Values x) {
    const int64_t block = ggml_blck_size(weight);
    const auto count = static_cast<int64_t>(x.size());
    if (block == 1) {
        for (double& value : x) {
            const auto single = static_cast<float>(value);
            if (weight == GGML_TYPE_F16) value = ggml_fp16_to_fp32(ggml_fp32_to_fp16(single));
            if (weight == GGML_TYPE_BF16) value = ggml_bf16_to_fp32(ggml_fp32_to_bf16(single));
        }
        return x;
    }
    for (int64_t first = 0; first < count; first += block) round_block(x.data() + first, block, block == 32);
    return x;
}

// As `rounded_for`, of rows that are brought to size one first.
inline Values rounded_as_large(ggml_type weight, Values x, int64_t width) {
    if (weight == GGML_TYPE_F32 || weight == GGML_TYPE_BF16) return rounded_for(weight, std::move(x));
    Values sizes;
    for (size_t row = 0; row < x.size(); row += static_cast<size_t>(width)) {
        double squares = 0;
        for (int64_t i = 0; i < width; ++i)
            squares += x[row + static_cast<size_t>(i)] * x[row + static_cast<size_t>(i)];
        sizes.push_back(std::sqrt(squares / static_cast<double>(width) + 1e-30));
        for (int64_t i = 0; i < width; ++i) x[row + static_cast<size_t>(i)] /= sizes.back();
    }
    x = rounded_for(weight, std::move(x));
    for (size_t i = 0; i < x.size(); ++i) x[i] *= sizes[i / static_cast<size_t>(width)];
    return x;
}

class Layers {
  public:
    explicit Layers(const tiny_graph::Model& model) : model_(model) {}

  protected:
    using Bias = std::function<double(size_t head, size_t query, size_t key)>;  // -infinity hides

    const Values& value(const std::string& name) const { return model_.values.at(name); }

    static Values sum(Values a, const Values& b) {
        for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
        return a;
    }

    // x [N,in] → [N,out], with a bias where the file has one
    Values linear(const std::string& name, const Values& input, int64_t in, bool large = false) const {
        const auto width = static_cast<size_t>(in);
        const ggml_type type = model_.types.at(name + ".weight");
        const Values x = large ? rounded_as_large(type, input, in) : rounded_for(type, input);
        const Values& weight = value(name + ".weight");
        const auto bias = model_.values.find(name + ".bias");
        Values result;
        for (size_t row = 0; row < x.size(); row += width) {
            for (size_t out = 0; out < weight.size() / width; ++out) {
                double total = bias == model_.values.end() ? 0 : bias->second[out];
                for (size_t i = 0; i < width; ++i) total += x[row + i] * weight[out * width + i];
                result.push_back(total);
            }
        }
        return result;
    }

    // [N] → [N,width]
    Values rows_of(const std::string& name, const std::vector<int32_t>& ids, int64_t width) const {
        Values result;
        for (const int32_t id : ids) {
            const auto first = value(name).begin() + id * width;
            result.insert(result.end(), first, first + width);
        }
        return result;
    }

    // q [N,heads*size], k and v [M,heads*size] → [N,heads*size]
    static Values attention(const Values& q, const Values& k, const Values& v, size_t heads, size_t size, double scale,
                            const Bias& bias) {
        const size_t width = heads * size;
        const size_t keys = k.size() / width;
        Values result(q.size());
        for (size_t row = 0; row < q.size() / width; ++row) {
            for (size_t head = 0; head < heads; ++head) {
                Values weights(keys);
                for (size_t key = 0; key < keys; ++key) {
                    double score = 0;
                    for (size_t i = head * size; i < (head + 1) * size; ++i) {
                        score += q[row * width + i] * k[key * width + i];
                    }
                    weights[key] = score * scale + bias(head, row, key);
                }
                const double largest = *std::max_element(weights.begin(), weights.end());
                double total = 0;
                for (double& weight : weights) total += weight = std::exp(weight - largest);
                for (size_t key = 0; key < keys; ++key) {
                    for (size_t i = head * size; i < (head + 1) * size; ++i) {
                        result[row * width + i] += weights[key] / total * v[key * width + i];
                    }
                }
            }
        }
        return result;
    }

    static double hidden() { return -std::numeric_limits<double>::infinity(); }

  private:
    const tiny_graph::Model& model_;
};

class T5 : public Layers {
  public:
    T5(const tiny_graph::Model& model, const tiny_t5::Shape& shape) : Layers(model), shape_(shape) {}

    // Of the answer's last row: [V]
    Values logits(const Input& input) const {
        const Values encoded = encode(input);
        Values x = rows_of("token_embd.weight", input.answer, shape_.d_model);
        for (int64_t i = 0; i < shape_.decoder_layers; ++i) {
            const std::string name = "dec.blk." + std::to_string(i);
            const Values asking = norm(name + ".attn_norm", x);
            x = sum(x, attend(name + ".attn", asking, asking, bias_of("dec", false)));
            const Values crossing = norm(name + ".cross_attn_norm", x);
            x = sum(x, attend(name + ".cross_attn", crossing, encoded, [](size_t, size_t, size_t) { return 0.0; }));
            x = sum(x, feed_forward(name + ".ffn", norm(name + ".ffn_norm", x)));
        }
        x = norm("dec.output_norm", {x.end() - shape_.d_model, x.end()});
        if (!shape_.tied) return linear("output", x, shape_.d_model);
        for (double& value : x) value /= std::sqrt(static_cast<double>(shape_.d_model));
        return linear("token_embd", x, shape_.d_model);
    }

    Values encode(const Input& input) const {
        Values x(input.soft_tokens.begin(), input.soft_tokens.end());
        const Values tokens = rows_of("token_embd.weight", input.tokens, shape_.d_model);
        x.insert(x.end(), tokens.begin(), tokens.end());
        for (int64_t i = 0; i < shape_.layers; ++i) {
            const std::string name = "enc.blk." + std::to_string(i);
            const Values asking = norm(name + ".attn_norm", x);
            x = sum(x, attend(name + ".attn", asking, asking, bias_of("enc", true)));
            x = sum(x, feed_forward(name + ".ffn", norm(name + ".ffn_norm", x)));
        }
        return norm("enc.output_norm", x);
    }

    // Of the feed-forward in the first block of the encoder, for tests that want them beyond F16's range.
    double largest_inner(const Input& input) const {
        T5 one = *this;
        one.shape_.layers = 1;
        one.largest_ = 0;
        one.encode(input);
        return one.largest_;
    }

  private:
    Values norm(const std::string& name, Values x) const {
        const Values& weight = value(name + ".weight");
        const size_t width = weight.size();
        for (size_t row = 0; row < x.size(); row += width) {
            double squares = 0;
            for (size_t i = 0; i < width; ++i) squares += x[row + i] * x[row + i];
            const double size = std::sqrt(squares / static_cast<double>(width) + static_cast<double>(shape_.eps));
            for (size_t i = 0; i < width; ++i) x[row + i] *= weight[i] / size;
        }
        return x;
    }

    Values attend(const std::string& name, const Values& x, const Values& source, const Bias& bias) const {
        const int64_t in = shape_.d_model;
        const Values attended =
            attention(linear(name + "_q", x, in), linear(name + "_k", source, in), linear(name + "_v", source, in),
                      static_cast<size_t>(shape_.heads), static_cast<size_t>(shape_.d_kv), 1, bias);
        return linear(name + "_o", attended, shape_.inner());
    }

    Values feed_forward(const std::string& name, const Values& x) const {
        Values inner = linear(name + "_up", x, shape_.d_model);
        if (shape_.gated) {
            const Values gate = linear(name + "_gate", x, shape_.d_model);
            for (size_t i = 0; i < inner.size(); ++i) inner[i] *= activate(shape_.activation, gate[i]);
        } else {
            for (double& value : inner) value = activate(shape_.activation, value);
        }
        for (const double value : inner) largest_ = std::max(largest_, std::abs(value));
        return linear(name + "_down", inner, shape_.d_ff, true);
    }

    Bias bias_of(const std::string& stage, bool both_ways) const {
        const Values& table = value(stage + ".blk.0.attn_rel_b.weight");
        return [this, &table, both_ways](size_t head, size_t query, size_t key) {
            if (!both_ways && key > query) return hidden();
            const int64_t bucket = bucket_of(static_cast<int64_t>(key) - static_cast<int64_t>(query), both_ways);
            return table[static_cast<size_t>(bucket * shape_.heads) + head];
        };
    }

    int64_t bucket_of(int64_t relative, bool both_ways) const {
        int64_t count = shape_.buckets;
        int64_t bucket = 0;
        if (both_ways) {
            count /= 2;
            if (relative > 0) bucket = count;
        }
        const int64_t distance = std::abs(relative);
        const int64_t exact = count / 2;
        if (distance < exact) return bucket + distance;
        const double part = std::log(static_cast<double>(distance) / static_cast<double>(exact)) /
                            std::log(static_cast<double>(shape_.max_distance) / static_cast<double>(exact));
        const auto step = static_cast<int64_t>(part * static_cast<double>(count - exact) + 1e-9);
        return bucket + std::min(exact + step, count - 1);
    }

    tiny_t5::Shape shape_;
    mutable double largest_ = 0;
};

class Opt : public Layers {
  public:
    Opt(const tiny_graph::Model& model, const tiny_opt::Shape& shape) : Layers(model), shape_(shape) {}

    // Of the last row: [V]
    Values logits(const Input& input) const {
        Values x = embed(input);
        for (int64_t i = 0; i < shape_.layers; ++i) {
            const std::string name = "blk." + std::to_string(i);
            x = with_norm(name + ".attn_norm", x, [&](const Values& in) { return attend(name, in); });
            x = with_norm(name + ".ffn_norm", x, [&](const Values& in) { return feed_forward(name + ".ffn", in); });
        }
        x = {x.end() - shape_.hidden(), x.end()};
        if (shape_.norm_before && shape_.final_norm) x = norm("output_norm", x);
        if (shape_.width != shape_.hidden()) x = linear("output_proj", x, shape_.hidden());
        return linear(shape_.tied ? "token_embd" : "output", x, shape_.width);
    }

  private:
    Values embed(const Input& input) const {
        std::vector<int32_t> ids = input.tokens;
        ids.insert(ids.end(), input.answer.begin(), input.answer.end());
        Values x(input.soft_tokens.begin(), input.soft_tokens.end());
        const Values tokens = rows_of("token_embd.weight", ids, shape_.width);
        x.insert(x.end(), tokens.begin(), tokens.end());
        const size_t rows = x.size() / static_cast<size_t>(shape_.width);
        if (shape_.width != shape_.hidden()) x = linear("token_embd_proj", x, shape_.width);
        std::vector<int32_t> positions(rows);
        std::iota(positions.begin(), positions.end(), static_cast<int32_t>(tiny_opt::position_offset));
        return sum(x, rows_of("position_embd.weight", positions, shape_.hidden()));
    }

    Values with_norm(const std::string& name, const Values& x, const std::function<Values(const Values&)>& body) const {
        return shape_.norm_before ? sum(x, body(norm(name, x))) : norm(name, sum(x, body(x)));
    }

    Values norm(const std::string& name, Values x) const {
        const Values& weight = value(name + ".weight");
        const Values& bias = value(name + ".bias");
        const size_t width = weight.size();
        for (size_t row = 0; row < x.size(); row += width) {
            double mean = 0;
            for (size_t i = 0; i < width; ++i) mean += x[row + i] / static_cast<double>(width);
            double variance = 0;
            for (size_t i = 0; i < width; ++i) {
                variance += (x[row + i] - mean) * (x[row + i] - mean) / static_cast<double>(width);
            }
            const double size = std::sqrt(variance + static_cast<double>(shape_.eps));
            for (size_t i = 0; i < width; ++i) x[row + i] = (x[row + i] - mean) / size * weight[i] + bias[i];
        }
        return x;
    }

    Values attend(const std::string& name, const Values& x) const {
        const int64_t in = shape_.hidden();
        const Values attended =
            attention(linear(name + ".attn_q", x, in), linear(name + ".attn_k", x, in), linear(name + ".attn_v", x, in),
                      static_cast<size_t>(shape_.heads), static_cast<size_t>(shape_.head_size),
                      1 / std::sqrt(static_cast<double>(shape_.head_size)),
                      [](size_t, size_t query, size_t key) { return key > query ? hidden() : 0; });
        return linear(name + ".attn_output", attended, in);
    }

    Values feed_forward(const std::string& name, const Values& x) const {
        Values inner = linear(name + "_up", x, shape_.hidden());
        for (double& value : inner) value = activate(shape_.activation, value);
        return linear(name + "_down", inner, shape_.ffn);
    }

    tiny_opt::Shape shape_;
};

}  // namespace language_reference
