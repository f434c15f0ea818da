// The stages in plain loops and double precision, written from the specification and not from our graphs: what the
// graphs are compared with. Matrices are row-major [rows, columns]. Keeps every intermediate by its trace name.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "tiny-model.h"

namespace reference {

using Values = std::vector<double>;

class Stages {
  public:
    explicit Stages(const tiny::Model& model) : model_(model), shape_(model.shape) {}

    const std::map<std::string, Values>& intermediates() const { return intermediates_; }

    // pixels [3,S,S] → features [tokens,hidden]
    Values encode(const std::vector<float>& pixels) {
        Values x = embed(pixels);
        keep("vision.embeddings", x);
        const int64_t hidden = shape_.hidden();
        for (int64_t i = 0; i < shape_.layers; ++i) {
            const std::string name = "v.blk." + std::to_string(i);
            const Values qkv = linear(name + ".attn_qkv", layer_norm(name + ".ln1", x, hidden, shape_.eps), hidden);
            const Values attended =
                attention(columns(qkv, 3 * hidden, 0, hidden), columns(qkv, 3 * hidden, hidden, hidden),
                          columns(qkv, 3 * hidden, 2 * hidden, hidden), shape_.heads, hidden);
            x = sum(x, linear(name + ".attn_out", attended, hidden));
            x = sum(x, feed_forward(name + ".ffn", layer_norm(name + ".ln2", x, hidden, shape_.eps), hidden));
            keep("vision.layer-" + std::to_string(i), x);
        }
        x = layer_norm("v.post_ln", x, hidden, shape_.post_eps);
        return keep("vision.post_layernorm", x);
    }

    // features [tokens,hidden], ids → soft tokens [queries,language]
    Values query(const Values& features, const std::vector<int32_t>& ids) {
        const int64_t hidden = shape_.q_hidden();
        const size_t query_values = static_cast<size_t>(shape_.queries * hidden);
        Values x = model_.values.at("v.proj_query");
        if (shape_.text_input) append_text(x, ids);
        x = keep("qformer.embeddings", layer_norm("v.proj_norm", x, hidden, shape_.q_eps));
        for (int64_t i = 0; i < shape_.q_layers; ++i) {
            const std::string name = "v.proj_blk." + std::to_string(i);
            x = attend(name + ".self_attn", x, x, hidden);
            Values queries(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(query_values));
            const Values text(x.begin() + static_cast<std::ptrdiff_t>(query_values), x.end());
            if (i % shape_.frequency == 0) queries = attend(name + ".cross_attn", queries, features, shape_.hidden());
            x = feed_forward_norm(name + ".ffn", queries);
            const bool last = i + 1 == shape_.q_layers;
            if (!text.empty() && !last) {
                const Values fed = feed_forward_norm(name + ".ffn_text", text);
                x.insert(x.end(), fed.begin(), fed.end());
            }
            keep("qformer.layer-" + std::to_string(i), x);
        }
        keep("qformer.output", x);
        return keep("projection.output", linear("v.proj_linear", x, hidden));
    }

  private:
    const Values& keep(const std::string& name, const Values& values) { return intermediates_[name] = values; }

    Values embed(const std::vector<float>& pixels) const {
        const int64_t patch = shape_.patch;
        const Values& weight = model_.values.at("v.patch_embd.weight");
        const Values& bias = model_.values.at("v.patch_embd.bias");
        Values x = model_.values.at("v.class_embd");
        for (int64_t top = 0; top < shape_.image; top += patch) {
            for (int64_t left = 0; left < shape_.image; left += patch) {
                for (int64_t out = 0; out < shape_.hidden(); ++out) {
                    double total = bias[static_cast<size_t>(out)];
                    for (int64_t c = 0; c < 3; ++c) {
                        for (int64_t i = 0; i < patch; ++i) {
                            for (int64_t j = 0; j < patch; ++j) {
                                total +=
                                    weight[static_cast<size_t>(((out * 3 + c) * patch + i) * patch + j)] *
                                    pixels[static_cast<size_t>((c * shape_.image + top + i) * shape_.image + left + j)];
                            }
                        }
                    }
                    x.push_back(total);
                }
            }
        }
        return sum(x, model_.values.at("v.position_embd.weight"));
    }

    void append_text(Values& x, const std::vector<int32_t>& ids) const {
        const int64_t hidden = shape_.q_hidden();
        for (size_t position = 0; position < ids.size(); ++position) {
            for (int64_t i = 0; i < hidden; ++i) {
                x.push_back(
                    model_.values.at("v.proj_embd.tokens.weight")[static_cast<size_t>(ids[position] * hidden + i)] +
                    model_.values.at("v.proj_embd.position.weight")[position * static_cast<size_t>(hidden) +
                                                                    static_cast<size_t>(i)]);
            }
        }
    }

    static Values sum(Values a, const Values& b) {
        for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
        return a;
    }

    static Values columns(const Values& x, int64_t width, int64_t first, int64_t count) {
        Values result;
        for (size_t row = 0; row < x.size(); row += static_cast<size_t>(width)) {
            const auto begin = x.begin() + static_cast<std::ptrdiff_t>(row) + first;
            result.insert(result.end(), begin, begin + count);
        }
        return result;
    }

    Values linear(const std::string& name, const Values& x, int64_t in) const {
        const Values& weight = model_.values.at(name + ".weight");
        const Values& bias = model_.values.at(name + ".bias");
        Values result;
        for (size_t row = 0; row < x.size(); row += static_cast<size_t>(in)) {
            for (size_t out = 0; out < bias.size(); ++out) {
                double total = bias[out];
                for (size_t i = 0; i < static_cast<size_t>(in); ++i) {
                    total += x[row + i] * weight[out * static_cast<size_t>(in) + i];
                }
                result.push_back(total);
            }
        }
        return result;
    }

    Values layer_norm(const std::string& name, Values x, int64_t size, double eps) const {
        const Values& weight = model_.values.at(name + ".weight");
        const Values& bias = model_.values.at(name + ".bias");
        const auto width = static_cast<size_t>(size);
        for (size_t row = 0; row < x.size(); row += width) {
            double mean = 0;
            for (size_t i = 0; i < width; ++i) mean += x[row + i] / static_cast<double>(size);
            double variance = 0;
            for (size_t i = 0; i < width; ++i) {
                variance += (x[row + i] - mean) * (x[row + i] - mean) / static_cast<double>(size);
            }
            for (size_t i = 0; i < width; ++i) {
                x[row + i] = (x[row + i] - mean) / std::sqrt(variance + eps) * weight[i] + bias[i];
            }
        }
        return x;
    }

    Values feed_forward(const std::string& name, const Values& x, int64_t hidden) const {
        Values inner = linear(name + "_up", x, hidden);
        for (double& value : inner) value = 0.5 * value * (1 + std::erf(value / std::sqrt(2.0)));
        return linear(name + "_down", inner, static_cast<int64_t>(model_.values.at(name + "_up.bias").size()));
    }
    Values feed_forward_norm(const std::string& name, const Values& x) const {
        const int64_t hidden = shape_.q_hidden();
        return layer_norm(name + "_norm", sum(x, feed_forward(name, x, hidden)), hidden, shape_.q_eps);
    }

    // q [N,width], k and v [M,width]
    static Values attention(const Values& q, const Values& k, const Values& v, int64_t heads, int64_t width) {
        const auto stride = static_cast<size_t>(width);
        const size_t size = stride / static_cast<size_t>(heads);
        const size_t keys = k.size() / stride;
        Values result(q.size());
        for (size_t row = 0; row < q.size() / stride; ++row) {
            for (size_t first = 0; first < stride; first += size) {
                Values weights(keys);
                for (size_t key = 0; key < keys; ++key) {
                    for (size_t i = first; i < first + size; ++i)
                        weights[key] += q[row * stride + i] * k[key * stride + i];
                    weights[key] /= std::sqrt(static_cast<double>(size));
                }
                const double largest = *std::max_element(weights.begin(), weights.end());
                double total = 0;
                for (double& weight : weights) total += weight = std::exp(weight - largest);
                for (size_t key = 0; key < keys; ++key) {
                    for (size_t i = first; i < first + size; ++i) {
                        result[row * stride + i] += weights[key] / total * v[key * stride + i];
                    }
                }
            }
        }
        return result;
    }

    // Post-norm attention of x [N,D] to `source` [M,source_size].
    Values attend(const std::string& name, const Values& x, const Values& source, int64_t source_size) const {
        const int64_t hidden = shape_.q_hidden();
        const Values attended = attention(linear(name + "_q", x, hidden), linear(name + "_k", source, source_size),
                                          linear(name + "_v", source, source_size), shape_.q_heads, hidden);
        return layer_norm(name + "_norm", sum(x, linear(name + "_out", attended, hidden)), hidden, shape_.q_eps);
    }

    const tiny::Model& model_;
    tiny::Shape shape_;
    std::map<std::string, Values> intermediates_;
};

}  // namespace reference
