#include "decoder-model.h"

#include <algorithm>
#include <limits>

namespace instructblip {
namespace {

// Cells of a cache when none are asked for: at most this many, tokens of several sequences and an encoder's rows.
constexpr int64_t most_default_cells = 2048;

}  // namespace

HiddenCells::HiddenCells(const VisibleCells& cells)
    : shape_{cells.count == 0 ? 0 : static_cast<int64_t>(cells.positions.size()) / cells.count, cells.count} {
    const std::vector<int32_t>& positions = cells.positions;
    if (std::all_of(positions.begin(), positions.end(), [](int32_t position) { return position >= 0; })) return;
    mask_.reserve(positions.size());
    for (const int32_t position : positions) {
        mask_.push_back(position < 0 ? -std::numeric_limits<float>::infinity() : 0.0F);
    }
}

ggml_tensor* HiddenCells::build(Graph& graph, const std::string& name) const {
    return mask_.empty() ? nullptr : graph.input(name, shape_, mask_.data());
}

ggml_tensor* last_rows(Graph& graph, ggml_tensor* x, int64_t count) {
    const int64_t first = x->ne[1] - count;
    return ggml_view_2d(graph.context(), x, x->ne[0], count, x->nb[1], static_cast<size_t>(first) * x->nb[1]);
}

DecoderModel::DecoderModel(Compute& compute, const CacheShape& cache, ggml_type cache_type,
                           const LanguageModelOptions& options)
    : compute_(compute),
      cache_shape_(cache),
      cache_type_(options.kv_cache_type.value_or(cache_type)),
      cells_(context_cells(options, cache_shape_, cache_type_, most_default_cells)),
      shares_(cells_, options.max_sequences) {
    compute.require_memory(cache_shape_.cell_bytes(cache_type_) * static_cast<uint64_t>(cells_),
                           "a cache of " + std::to_string(cells_) + " cells", "use a smaller contextSize");
}

}  // namespace instructblip
