#include "kv-cache.h"

#include <string>

#include "error.h"
#include "layers.h"

namespace instructblip {

KvCache::KvCache(const Compute& compute, const CacheShape& shape, ggml_type type, int32_t cells)
    : shape_(shape), transposes_values_(!ggml_is_quantized(type)) {
    const auto tensors = 2 * static_cast<size_t>(shape.layers);
    context_.reset(ggml_init({tensors * ggml_tensor_overhead(), nullptr, true}));
    const int64_t values = shape.heads * shape.value_length;
    const int64_t padded = GGML_PAD(cells, VisibleCells::alignment);
    for (int64_t layer = 0; layer < shape.layers; ++layer) {
        layers_.push_back({ggml_new_tensor_2d(context_.get(), type, shape.heads * shape.key_length, cells),
                           transposes_values_ ? ggml_new_tensor_2d(context_.get(), type, padded, values)
                                              : ggml_new_tensor_2d(context_.get(), type, values, cells)});
    }
    buffer_.reset(
        ggml_backend_alloc_ctx_tensors_from_buft(context_.get(), ggml_backend_dev_buffer_type(compute.device())));
    if (!buffer_) {
        throw ModelError("OUT_OF_MEMORY", "memory for a cache of " + std::to_string(cells) + " cells (" +
                                              std::to_string((shape.cell_bytes(type) * cells) >> 20) + " MiB) on " +
                                              compute.device_name() +
                                              " could not be had: ask for shorter answers, or free some");
    }
    ggml_backend_buffer_clear(buffer_.get(), 0);
}

void KvCache::write(Graph& graph, int64_t layer, ggml_tensor* keys, ggml_tensor* values, ggml_tensor* cells) {
    const Layer& kept = layers_[static_cast<size_t>(layer)];
    ggml_context* const context = graph.context();
    ggml_build_forward_expand(graph.graph(), ggml_set_rows(context, kept.keys, keys, cells));
    ggml_tensor* table = kept.values;
    if (transposes_values_) {  // single values as rows: [width,cells,1] ← [width,R,1]
        table = ggml_reshape_3d(context, table, 1, table->ne[0], table->ne[1]);
        values = ggml_view_3d(context, values, 1, values->ne[1], values->ne[0], values->nb[1], values->nb[0], 0);
    }
    ggml_build_forward_expand(graph.graph(), ggml_set_rows(context, table, values, cells));
}

ggml_tensor* KvCache::keys(Graph& graph, int64_t layer, const VisibleCells& cells) const {
    return rows_of(graph, layers_[static_cast<size_t>(layer)].keys, shape_.key_length, cells);
}

ggml_tensor* KvCache::values(Graph& graph, int64_t layer, const VisibleCells& cells) const {
    ggml_context* const context = graph.context();
    ggml_tensor* const kept = layers_[static_cast<size_t>(layer)].values;
    if (!transposes_values_) {
        ggml_tensor* const rows = rows_of(graph, kept, shape_.value_length, cells);
        return transposed_values(graph, rows);
    }
    ggml_tensor* const view = ggml_view_3d(context, kept, cells.count, shape_.value_length, shape_.heads, kept->nb[1],
                                           static_cast<size_t>(shape_.value_length) * kept->nb[1],
                                           static_cast<size_t>(cells.first) * kept->nb[0]);
    // As F16 the product would round the attention's weights too.
    return kept->type == GGML_TYPE_F32 ? view : ggml_cast(context, view, GGML_TYPE_F32);
}

// [count,heads,size]
ggml_tensor* KvCache::rows_of(Graph& graph, ggml_tensor* tensor, int64_t size, const VisibleCells& cells) const {
    return ggml_view_3d(graph.context(), tensor, size, shape_.heads, cells.count, ggml_row_size(tensor->type, size),
                        tensor->nb[1], static_cast<size_t>(cells.first) * tensor->nb[1]);
}

}  // namespace instructblip
