#include "decoder-model.h"

namespace instructblip {
namespace {

// Cells of a cache when none are asked for: at most this many, tokens of several sequences and an encoder's rows.
constexpr int64_t most_default_cells = 2048;

}  // namespace

ggml_tensor* last_rows(Graph& graph, ggml_tensor* x, int64_t count) {
    const int64_t first = x->ne[1] - count;
    return ggml_view_2d(graph.context(), x, x->ne[0], count, x->nb[1], static_cast<size_t>(first) * x->nb[1]);
}

ggml_tensor* build_rows(Graph& graph, ggml_tensor* table, const std::vector<float>& soft_tokens,
                        const std::vector<int32_t>& tokens, int64_t width) {
    const auto soft_count = static_cast<int64_t>(soft_tokens.size()) / width;
    const auto token_count = static_cast<int64_t>(tokens.size());
    ggml_tensor* soft = nullptr;
    if (soft_count > 0) soft = graph.input("soft_tokens", {soft_count, width}, soft_tokens.data());
    if (token_count == 0) return soft;
    ggml_tensor* const ids = graph.input("ids", {token_count}, tokens.data());
    ggml_tensor* const looked_up = ggml_get_rows(graph.context(), table, ids);
    return soft == nullptr ? looked_up : ggml_concat(graph.context(), soft, looked_up, 1);
}

void DecoderModel::require_score_memory(int64_t rows) const {
    // Scores, softmax and bias live at once.
    compute_.require_memory(3 * sizeof(float) * static_cast<uint64_t>(cache_shape_.heads * rows * rows),
                            "a prompt of " + std::to_string(rows) + " tokens",
                            "shorten the question, attention scores grow with its square");
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
