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

// Cells of the cache, from `first`, and what each of R rows sees there.
struct VisibleCells {
    // `first` is a multiple: devices read several values at once.
    static constexpr int64_t alignment = 8;

    int64_t first;
    int64_t count;
    // [R,count]: the position of the token in the cell; -1 = the row does not see it.
    std::vector<int32_t> positions;
};

class KvCache {
  public:
    // Of zeros, so that cells which nothing was written to can be read and hidden. Throws OUT_OF_MEMORY.
    KvCache(const Compute& compute, const CacheShape& shape, ggml_type type, int32_t cells);

    // Adds to `graph`: keys and values [R,heads*size] of a layer go to `cells` [R]. What is read afterwards sees them.
    void write(Graph& graph, int64_t layer, ggml_tensor* keys, ggml_tensor* values, ggml_tensor* cells);

    // As DotProductAttention::build_transposed takes them.
    ggml_tensor* keys(Graph& graph, int64_t layer, const VisibleCells& cells) const;    // [count,heads,size]
    ggml_tensor* values(Graph& graph, int64_t layer, const VisibleCells& cells) const;  // [heads,size,count]

  private:
    struct Layer {
        ggml_tensor* keys;    // [cells,heads*size]
        ggml_tensor* values;  // [heads*size,cells]; of a quantized type, whose blocks run through a row: as keys
    };
    ggml_tensor* rows_of(Graph& graph, ggml_tensor* tensor, int64_t size, const VisibleCells& cells) const;

    CacheShape shape_;
    bool transposes_values_;  // once when they are written, instead of at every step
    ggml_context_ptr context_;
    ggml_backend_buffer_ptr buffer_;
    std::vector<Layer> layers_;
};

}  // namespace instructblip
