// The layers that the stages are made of, as functions that add nodes to a graph. Shapes are in PyTorch order.
// Every layer names its steps: `attention_scores` → `vision.attention_scores-3` in block 3 of the vision encoder.
#pragma once

#include <ggml.h>

#include <cstdint>
#include <string>

#include "graph.h"
#include "weights.h"

namespace instructblip {

// x [N,in] → [N,out]
struct Linear {
    ggml_tensor* weight;  // [out,in]
    ggml_tensor* bias;    // [out]; nullptr = none

    static Linear declare(WeightSink& sink, const std::string& name, int64_t out, int64_t in, bool has_bias = true);
    ggml_tensor* build(Graph& graph, ggml_tensor* x) const;
    // For x beyond F16's range (65504): products with F16 weights convert x to F16, those with most quantized ones keep
    // scales or sums of x's blocks in F16. So its rows are brought to size one first. `on_cpu`: no other device
    // computes.
    ggml_tensor* build_for_large(Graph& graph, ggml_tensor* x, bool on_cpu) const;
};

// x [N,H] → [N,H]
struct LayerNorm {
    ggml_tensor* weight;  // [H]
    ggml_tensor* bias;    // [H]
    float eps;

    static LayerNorm declare(WeightSink& sink, const std::string& name, int64_t size, float eps);
    ggml_tensor* build(Graph& graph, ggml_tensor* x) const;
};

// x [N,H] → [N,H]: x / rms(x) · weight (HF's T5LayerNorm)
struct RmsNorm {
    ggml_tensor* weight;  // [H]
    float eps;

    static RmsNorm declare(WeightSink& sink, const std::string& name, int64_t size, float eps);
    ggml_tensor* build(Graph& graph, ggml_tensor* x) const;
};

// x [N,H] → [N,H]: down(gelu(up(x))), with the exact (erf) GELU.
struct FeedForward {
    Linear up;
    Linear down;

    static FeedForward declare(WeightSink& sink, const std::string& name, int64_t hidden, int64_t intermediate);
    // Names `step`_up, `step`_act, `step`_down.
    ggml_tensor* build(Graph& graph, ggml_tensor* x, const std::string& step, int64_t layer) const;
};

// `count` heads side by side in the rows of x [N,count*size], from value `first` of each row: a view [N,count,size].
ggml_tensor* split_heads(Graph& graph, ggml_tensor* x, int64_t count, int64_t size, int64_t first = 0);

// softmax(q kᵀ · scale + bias) v over all keys; plain softmax in F32.
struct DotProductAttention {
    float scale = 0;              // 0: 1 / √size
    ggml_tensor* bias = nullptr;  // [heads or 1,N,M], added to the scores; -infinity hides a key

    // q [N,heads,size], k and v [M,heads,size] → [N,heads*size]; k and v of any type.
    // Names `step`_scores, `step`_weights, `step`_context.
    ggml_tensor* build(Graph& graph, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v, const std::string& step,
                       int64_t layer) const;
    // The same for values that lie ready: v [heads,size,M], F32.
    ggml_tensor* build_transposed(Graph& graph, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v, const std::string& step,
                                  int64_t layer) const;
};

// v [M,heads,size] of any type → [heads,size,M], F32
ggml_tensor* transposed_values(Graph& graph, ggml_tensor* v);

}  // namespace instructblip
