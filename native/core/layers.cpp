#include "layers.h"

#include <cmath>

namespace instructblip {

Linear Linear::declare(WeightSink& sink, const std::string& name, int64_t out, int64_t in) {
    return {sink.add(name + ".weight", {out, in}, WeightUse::product),
            sink.add(name + ".bias", {out}, WeightUse::vector)};
}

ggml_tensor* Linear::build(Graph& graph, ggml_tensor* x) const {
    ggml_tensor* const product = ggml_mul_mat(graph.context(), weight, x);
    ggml_prec_set_acc(product, GGML_PREC_F32);
    return ggml_add(graph.context(), product, bias);
}

LayerNorm LayerNorm::declare(WeightSink& sink, const std::string& name, int64_t size, float eps) {
    return {sink.add(name + ".weight", {size}, WeightUse::vector), sink.add(name + ".bias", {size}, WeightUse::vector),
            eps};
}

ggml_tensor* LayerNorm::build(Graph& graph, ggml_tensor* x) const {
    ggml_tensor* const normalized = ggml_norm(graph.context(), x, eps);
    return ggml_add(graph.context(), ggml_mul(graph.context(), normalized, weight), bias);
}

FeedForward FeedForward::declare(WeightSink& sink, const std::string& name, int64_t hidden, int64_t intermediate) {
    return {Linear::declare(sink, name + "_up", intermediate, hidden),
            Linear::declare(sink, name + "_down", hidden, intermediate)};
}

ggml_tensor* FeedForward::build(Graph& graph, ggml_tensor* x, const std::string& step, int64_t layer) const {
    x = graph.name(up.build(graph, x), step + "_up", layer);
    x = graph.name(ggml_gelu_erf(graph.context(), x), step + "_act", layer);
    return graph.name(down.build(graph, x), step + "_down", layer);
}

ggml_tensor* split_heads(Graph& graph, ggml_tensor* x, int64_t count, int64_t size, int64_t first) {
    const size_t value = ggml_element_size(x);
    return ggml_view_3d(graph.context(), x, size, count, x->ne[1], static_cast<size_t>(size) * value, x->nb[1],
                        static_cast<size_t>(first) * value);
}

ggml_tensor* multi_head_attention(Graph& graph, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v, const std::string& step,
                                  int64_t layer) {
    ggml_context* const context = graph.context();
    const int64_t size = q->ne[0];
    const int64_t heads = q->ne[1];
    const int64_t rows = q->ne[2];
    // Heads outermost. q is copied into that order, because ggml's fast products want contiguous right sides.
    q = ggml_cont(context, ggml_permute(context, q, 0, 2, 1, 3));  // [heads,N,size]
    k = ggml_permute(context, k, 0, 2, 1, 3);                      // [heads,M,size]
    v = ggml_cont(context, ggml_permute(context, v, 1, 2, 0, 3));  // [heads,size,M]

    ggml_tensor* const scores = ggml_mul_mat(context, k, q);  // [heads,N,M]
    ggml_prec_set_acc(scores, GGML_PREC_F32);
    graph.name(scores, step + "_scores", layer);
    const float scale = 1.0F / std::sqrt(static_cast<float>(size));
    ggml_tensor* const weights = ggml_soft_max_ext(context, scores, nullptr, scale, 0.0F);
    graph.name(weights, step + "_weights", layer);
    ggml_tensor* const context_heads = ggml_mul_mat(context, v, weights);  // [heads,N,size]
    ggml_prec_set_acc(context_heads, GGML_PREC_F32);
    ggml_tensor* const merged =
        ggml_cont_2d(context, ggml_permute(context, context_heads, 0, 2, 1, 3), size * heads, rows);  // [N,heads*size]
    return graph.name(merged, step + "_context", layer);
}

}  // namespace instructblip
