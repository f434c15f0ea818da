#include "opt-language-model.h"

#include <algorithm>

#include "attention-mask.h"
#include "graph.h"

namespace instructblip {
namespace {

// Layers per graph: see vision-encoder.cpp. A layer has at most 55 nodes.
constexpr int64_t layers_per_graph = 24;

// Position p is row p + 2 of the table: HF's OPTLearnedPositionalEmbedding.
constexpr int32_t position_offset = 2;

}  // namespace

OptWeights OptWeights::declare(WeightSink& sink, const OptConfig& config) {
    const int64_t hidden = config.hidden_size;
    const int64_t width = config.word_embed_proj_dim;
    const bool bias = config.enable_bias;
    OptWeights model{};
    model.tokens = sink.add("token_embd.weight", {config.vocab_size, width}, WeightUse::table);
    model.positions =
        sink.add("position_embd.weight", {config.max_position_embeddings + position_offset, hidden}, WeightUse::table);
    if (config.has_projections()) {
        model.project_in = Linear::declare(sink, "token_embd_proj", hidden, width, false);
        model.project_out = Linear::declare(sink, "output_proj", width, hidden, false);
    }
    for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
        const std::string name = "blk." + std::to_string(layer);
        model.blocks.push_back({LayerNorm::declare(sink, name + ".attn_norm", hidden, config.layer_norm_eps),
                                Linear::declare(sink, name + ".attn_q", hidden, hidden, bias),
                                Linear::declare(sink, name + ".attn_k", hidden, hidden, bias),
                                Linear::declare(sink, name + ".attn_v", hidden, hidden, bias),
                                Linear::declare(sink, name + ".attn_output", hidden, hidden, bias),
                                LayerNorm::declare(sink, name + ".ffn_norm", hidden, config.layer_norm_eps),
                                Linear::declare(sink, name + ".ffn_up", config.ffn_dim, hidden, bias),
                                Linear::declare(sink, name + ".ffn_down", hidden, config.ffn_dim, bias)});
    }
    if (config.has_final_norm) model.norm = LayerNorm::declare(sink, "output_norm", hidden, config.layer_norm_eps);
    model.head =
        Linear::declare(sink, config.tie_word_embeddings ? "token_embd" : "output", config.vocab_size, width, false);
    return model;
}

void OptModel::check(const GgufFile& file, const OptConfig& config) {
    WeightCheck sink(file);
    OptWeights::declare(sink, config);
    sink.require_no_others();
}

OptModel::OptModel(const std::shared_ptr<const GgufFile>& file, const OptConfig& config, Compute& compute,
                   const LanguageModelOptions& options, const LoadMonitor& monitor)
    : DecoderModel(compute, config.cache_shape(), GGML_TYPE_F16, options),
      config_(config),
      weights_(file, compute),
      model_(OptWeights::declare(weights_, config)) {
    weights_.load(monitor);
}

void OptModel::decode(const DecoderRows& rows, KvCache& cache, const CancelToken& cancel, Trace* trace,
                      std::vector<float>& logits) {
    const auto count = static_cast<int64_t>(rows.cells.size());
    std::vector<int32_t> position_rows = rows.positions;
    for (int32_t& row : position_rows) row += position_offset;
    hidden_.resize(static_cast<size_t>(count * config_.hidden_size));
    logits.resize(static_cast<size_t>(rows.outputs * config_.vocab_size));
    const AttentionMask own(rows.own.positions, rows.own.count);
    for (int64_t first = 0; first < config_.num_hidden_layers; first += layers_per_graph) {
        const int64_t end = std::min(first + layers_per_graph, config_.num_hidden_layers);
        Graph graph("opt", trace);
        ggml_tensor* const cells = graph.input("cells", {count}, rows.cells.data());
        ggml_tensor* const mask = own.build(graph, "own_mask");
        ggml_tensor* x = first == 0 ? build_embeddings(graph, rows, position_rows)
                                    : graph.input("hidden", {count, config_.hidden_size}, hidden_.data());
        for (int64_t layer = first; layer < end; ++layer) {
            const OptWeights::Block& block = model_.blocks[static_cast<size_t>(layer)];
            x = build_attention(graph, block, rows, cache, cells, mask, x, layer);
            x = build_feed_forward(graph, block, x, layer);
        }
        if (end == config_.num_hidden_layers) {
            graph.output(build_head(graph, last_rows(graph, x, rows.outputs)), logits.data());
        } else {
            graph.output(x, hidden_.data());
        }
        compute().run(graph, cancel, trace);
    }
}

// [soft tokens][tokens] with the rows of their positions → [R,D]
ggml_tensor* OptModel::build_embeddings(Graph& graph, const DecoderRows& rows,
                                        const std::vector<int32_t>& position_rows) const {
    ggml_context* const context = graph.context();
    const auto count = static_cast<int64_t>(position_rows.size());
    ggml_tensor* x = build_rows(graph, model_.tokens, rows.soft_tokens, rows.tokens, config_.word_embed_proj_dim);
    if (model_.project_in) x = model_.project_in->build(graph, x);
    ggml_tensor* const ids = graph.input("positions", {count}, position_rows.data());
    return graph.name(ggml_add(context, x, ggml_get_rows(context, model_.positions, ids)), "embeddings");
}

// x [R,D] → [R,D]
ggml_tensor* OptModel::build_attention(Graph& graph, const OptWeights::Block& block, const DecoderRows& rows,
                                       KvCache& cache, ggml_tensor* cells, ggml_tensor* mask, ggml_tensor* x,
                                       int64_t layer) const {
    const bool norm_before = config_.do_layer_norm_before;
    ggml_tensor* const input = norm_before ? block.attention_norm.build(graph, x) : x;
    ggml_tensor* const query = block.query.build(graph, input);
    cache.write(graph, layer, block.key.build(graph, input), block.value.build(graph, input), cells);
    ggml_tensor* const attended = DotProductAttention{0, mask}.build_transposed(
        graph, split_heads(graph, query, config_.num_attention_heads, config_.head_size()),
        cache.keys(graph, layer, rows.own), cache.values(graph, layer, rows.own), "attention", layer);
    x = ggml_add(graph.context(), x, block.out.build(graph, attended));
    return graph.name(norm_before ? x : block.attention_norm.build(graph, x), "attention_residual", layer);
}

// x [R,D] → [R,D]
ggml_tensor* OptModel::build_feed_forward(Graph& graph, const OptWeights::Block& block, ggml_tensor* x,
                                          int64_t layer) const {
    const bool norm_before = config_.do_layer_norm_before;
    ggml_tensor* const input = norm_before ? block.feed_forward_norm.build(graph, x) : x;
    ggml_tensor* const inner = activate(graph, block.up.build(graph, input), config_.activation_function);
    x = ggml_add(graph.context(), x, block.down.build(graph, inner));
    return graph.name(norm_before ? x : block.feed_forward_norm.build(graph, x), "layer", layer);
}

// x [N,D] → logits [N,V]
ggml_tensor* OptModel::build_head(Graph& graph, ggml_tensor* x) const {
    if (model_.norm) x = model_.norm->build(graph, x);
    if (model_.project_out) x = model_.project_out->build(graph, x);
    return graph.name(model_.head.build(graph, graph.name(x, "output")), "logits");
}

}  // namespace instructblip
