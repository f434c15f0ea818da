// Keys and values that a model with a graph of its own keeps between steps. Shapes are in PyTorch order.
#pragma once

#include <ggml-backend.h>
#include <ggml-cpp.h>
#include <ggml.h>

#include <cstdint>
#include <vector>

#include "cache-size.h"
#include "compute.h"
#include "graph.h"

namespace instructblip {

class KvCache {
  public:
    // Of zeros, so that cells which nothing was written to can be read and hidden. Throws OUT_OF_MEMORY.
    KvCache(const Compute& compute, const CacheShape& shape, ggml_type type, int32_t cells);

    // Adds to `graph`: keys and values [R,heads*size] of a layer go to `cells` [R]. What is read afterwards sees them.
    void write(Graph& graph, int64_t layer, ggml_tensor* keys, ggml_tensor* values, ggml_tensor* cells);

    // Views [count,heads,size] of the cells from `first`.
    ggml_tensor* keys(Graph& graph, int64_t layer, int64_t first, int64_t count) const;
    ggml_tensor* values(Graph& graph, int64_t layer, int64_t first, int64_t count) const;

  private:
    struct Layer {
        ggml_tensor* keys;    // [cells,heads*size]
        ggml_tensor* values;  // [cells,heads*size]
    };
    ggml_tensor* cells_of(Graph& graph, ggml_tensor* tensor, int64_t size, int64_t first, int64_t count) const;

    CacheShape shape_;
    ggml_context_ptr context_;
    ggml_backend_buffer_ptr buffer_;
    std::vector<Layer> layers_;
};

}  // namespace instructblip
