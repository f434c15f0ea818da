// The linear map from the Q-Former's space to the language model's (HF's language_projection).
#pragma once

#include <cstdint>

#include "layers.h"
#include "weights.h"

namespace instructblip {

struct Projection {
    Linear linear;

    static Projection declare(WeightSink& sink, int64_t qformer_hidden_size, int64_t language_hidden_size);

    // [Q,D] → [Q,L], named projection.output
    ggml_tensor* build(Graph& graph, ggml_tensor* queries) const;
};

}  // namespace instructblip
