#include "layers.h"

#include <cmath>

namespace instructblip {
namespace {

// Whether products with weights of this type keep values of x beyond F16's range. Those with K-quants do on the CPU,
// where x becomes Q8_K with scales in F32; GPUs have other kinds of blocks.
bool keeps_range(ggml_type type, bool on_cpu) {
    switch (type) {
        case GGML_TYPE_F32:
        case GGML_TYPE_BF16:
            return true;
        case GGML_TYPE_Q2_K:
        case GGML_TYPE_Q3_K:
        case GGML_TYPE_Q4_K:
        case GGML_TYPE_Q5_K:
        case GGML_TYPE_Q6_K:
        case GGML_TYPE_IQ4_XS:
            return on_cpu;
        default:
            return false;
    }
}

}  // namespace

Linear Linear::declare(WeightSink& sink, const std::string& name, int64_t out, int64_t in, bool has_bias) {
    return {sink.add(name + ".weight", {out, in}, WeightUse::product),
            has_bias ? sink.add(name + ".bias", {out}, WeightUse::vector) : nullptr};
}

ggml_tensor* Linear::build(Graph& graph, ggml_tensor* x) const {
    ggml_tensor* const product = ggml_mul_mat(graph.context(), weight, x);
    ggml_prec_set_acc(product, GGML_PREC_F32);
    return bias == nullptr ? product : ggml_add(graph.context(), product, bias);
}

ggml_tensor* Linear::build_for_large(Graph& graph, ggml_tensor* x, bool on_cpu) const {
    if (keeps_range(weight->type, on_cpu)) return build(graph, x);
    ggml_context* const context = graph.context();
    constexpr float above_zero = 1e-30F;
    ggml_tensor* const squares = ggml_mean(context, ggml_sqr(context, x));                           // [N,1]
    ggml_tensor* const size = ggml_sqrt(context, ggml_scale_bias(context, squares, 1, above_zero));  // [N,1]
    ggml_tensor* const product = ggml_mul_mat(context, weight, ggml_div(context, x, size));
    ggml_prec_set_acc(product, GGML_PREC_F32);
    ggml_tensor* const scaled = ggml_mul(context, product, size);
    return bias == nullptr ? scaled : ggml_add(context, scaled, bias);
}

LayerNorm LayerNorm::declare(WeightSink& sink, const std::string& name, int64_t size, float eps) {
    return {sink.add(name + ".weight", {size}, WeightUse::vector), sink.add(name + ".bias", {size}, WeightUse::vector),
            eps};
}

ggml_tensor* LayerNorm::build(Graph& graph, ggml_tensor* x) const {
    ggml_tensor* const normalized = ggml_norm(graph.context(), x, eps);
    return ggml_add(graph.context(), ggml_mul(graph.context(), normalized, weight), bias);
}

RmsNorm RmsNorm::declare(WeightSink& sink, const std::string& name, int64_t size, float eps) {
    return {sink.add(name + ".weight", {size}, WeightUse::vector), eps};
}

ggml_tensor* RmsNorm::build(Graph& graph, ggml_tensor* x) const {
    return ggml_mul(graph.context(), ggml_rms_norm(graph.context(), x, eps), weight);
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
    return ggml_view_3d(graph.context(), x, size, count, x->ne[1], ggml_row_size(x->type, size), x->nb[1],
                        ggml_row_size(x->type, first));
}

ggml_tensor* transposed_values(Graph& graph, ggml_tensor* v) {
    ggml_context* const context = graph.context();
    if (v->type != GGML_TYPE_F32) v = ggml_cast(context, v, GGML_TYPE_F32);
    return ggml_cont(context, ggml_permute(context, v, 1, 2, 0, 3));
}

ggml_tensor* DotProductAttention::build(Graph& graph, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v,
                                        const std::string& step, int64_t layer) const {
    return build_transposed(graph, q, k, transposed_values(graph, v), step, layer);
}

ggml_tensor* DotProductAttention::build_transposed(Graph& graph, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v,
                                                   const std::string& step, int64_t layer) const {
    ggml_context* const context = graph.context();
    const int64_t size = q->ne[0];
    const int64_t heads = q->ne[1];
    const int64_t rows = q->ne[2];
    // Heads outermost. q is copied into that order, because ggml's fast products want contiguous right sides.
    q = ggml_cont(context, ggml_permute(context, q, 0, 2, 1, 3));  // [heads,N,size]
    k = ggml_permute(context, k, 0, 2, 1, 3);                      // [heads,M,size]

    ggml_tensor* const scores = ggml_mul_mat(context, k, q);  // [heads,N,M]
    ggml_prec_set_acc(scores, GGML_PREC_F32);
    graph.name(scores, step + "_scores", layer);
    const float factor = scale == 0 ? 1.0F / std::sqrt(static_cast<float>(size)) : scale;
    ggml_tensor* const weights = ggml_soft_max_ext(context, scores, bias, factor, 0.0F);
    graph.name(weights, step + "_weights", layer);
    ggml_tensor* const context_heads = ggml_mul_mat(context, v, weights);  // [heads,N,size]
    ggml_prec_set_acc(context_heads, GGML_PREC_F32);
    ggml_tensor* const merged =
        ggml_cont_2d(context, ggml_permute(context, context_heads, 0, 2, 1, 3), size * heads, rows);  // [N,heads*size]
    return graph.name(merged, step + "_context", layer);
}

}  // namespace instructblip
