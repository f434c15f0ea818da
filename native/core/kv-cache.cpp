#include "kv-cache.h"

#include <string>

#include "error.h"

namespace instructblip {

KvCache::KvCache(const Compute& compute, const CacheShape& shape, ggml_type type, int32_t cells) : shape_(shape) {
    const auto tensors = 2 * static_cast<size_t>(shape.layers);
    context_.reset(ggml_init({tensors * ggml_tensor_overhead(), nullptr, true}));
    for (int64_t layer = 0; layer < shape.layers; ++layer) {
        layers_.push_back({ggml_new_tensor_2d(context_.get(), type, shape.heads * shape.key_length, cells),
                           ggml_new_tensor_2d(context_.get(), type, shape.heads * shape.value_length, cells)});
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
    ggml_build_forward_expand(graph.graph(), ggml_set_rows(graph.context(), kept.keys, keys, cells));
    ggml_build_forward_expand(graph.graph(), ggml_set_rows(graph.context(), kept.values, values, cells));
}

ggml_tensor* KvCache::keys(Graph& graph, int64_t layer, int64_t first, int64_t count) const {
    return cells_of(graph, layers_[static_cast<size_t>(layer)].keys, shape_.key_length, first, count);
}

ggml_tensor* KvCache::values(Graph& graph, int64_t layer, int64_t first, int64_t count) const {
    return cells_of(graph, layers_[static_cast<size_t>(layer)].values, shape_.value_length, first, count);
}

ggml_tensor* KvCache::cells_of(Graph& graph, ggml_tensor* tensor, int64_t size, int64_t first, int64_t count) const {
    return ggml_view_3d(graph.context(), tensor, size, shape_.heads, count, ggml_row_size(tensor->type, size),
                        tensor->nb[1], static_cast<size_t>(first) * tensor->nb[1]);
}

}  // namespace instructblip
