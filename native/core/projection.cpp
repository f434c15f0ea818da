#include "projection.h"

namespace instructblip {

Projection Projection::declare(WeightSink& sink, int64_t qformer_hidden_size, int64_t language_hidden_size) {
    return {Linear::declare(sink, "v.proj_linear", language_hidden_size, qformer_hidden_size)};
}

ggml_tensor* Projection::build(Graph& graph, ggml_tensor* queries) const {
    graph.enter("projection");
    return graph.name(linear.build(graph, queries), "output");
}

}  // namespace instructblip
