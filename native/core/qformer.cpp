#include "qformer.h"

#include <algorithm>
#include <utility>

#include "attention-mask.h"
#include "error.h"
#include "graph.h"

namespace instructblip {
namespace {

// Bounds the size of a graph (Graph::max_nodes); the published models have 12 layers.
constexpr int64_t layers_per_graph = 12;

int64_t count_rows(const char* what, const std::vector<float>& values, int64_t width) {
    if (values.size() % static_cast<size_t>(width) == 0) return static_cast<int64_t>(values.size()) / width;
    throw ModelError("OPTION_INVALID", std::string(what) + " are rows of " + std::to_string(width) + " values, not " +
                                           std::to_string(values.size()) + " values");
}

void check_mask(const char* what, const std::vector<int32_t>& mask, int64_t rows) {
    if (mask.empty() || static_cast<int64_t>(mask.size()) == rows) return;
    throw ModelError("OPTION_INVALID", "the " + std::string(what) + " must have " + std::to_string(rows) +
                                           " values, not " + std::to_string(mask.size()));
}

// Rows [first, first + count) of x [N,D].
ggml_tensor* rows(Graph& graph, ggml_tensor* x, int64_t first, int64_t count) {
    return ggml_view_2d(graph.context(), x, x->ne[0], count, x->nb[1], static_cast<size_t>(first) * x->nb[1]);
}

}  // namespace

QFormer::Attention QFormer::declare_attention(WeightSink& sink, const QFormerConfig& config, const std::string& name,
                                              int64_t key_size) {
    const int64_t hidden = config.hidden_size;
    return {Linear::declare(sink, name + "_q", hidden, hidden), Linear::declare(sink, name + "_k", hidden, key_size),
            Linear::declare(sink, name + "_v", hidden, key_size), Linear::declare(sink, name + "_out", hidden, hidden),
            LayerNorm::declare(sink, name + "_norm", hidden, config.layer_norm_eps)};
}

QFormer::FeedForwardNorm QFormer::declare_feed_forward(WeightSink& sink, const QFormerConfig& config,
                                                       const std::string& name) {
    return {FeedForward::declare(sink, name, config.hidden_size, config.intermediate_size),
            LayerNorm::declare(sink, name + "_norm", config.hidden_size, config.layer_norm_eps)};
}

QFormer::Model QFormer::declare(WeightSink& sink, const QFormerConfig& config) {
    const int64_t hidden = config.hidden_size;
    Model model{};
    model.queries = sink.add("v.proj_query", {config.num_query_tokens, hidden}, WeightUse::vector);
    if (config.text_input) {
        model.tokens = sink.add("v.proj_embd.tokens.weight", {config.vocab_size, hidden}, WeightUse::table);
        model.positions =
            sink.add("v.proj_embd.position.weight", {config.max_position_embeddings, hidden}, WeightUse::vector);
    }
    model.norm = LayerNorm::declare(sink, "v.proj_norm", hidden, config.layer_norm_eps);
    for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
        const std::string name = "v.proj_blk." + std::to_string(layer);
        Block block{declare_attention(sink, config, name + ".self_attn", hidden),
                    {},
                    declare_feed_forward(sink, config, name + ".ffn"),
                    {}};
        if (config.has_cross_attention(layer)) {
            block.cross_attention = declare_attention(sink, config, name + ".cross_attn", config.encoder_hidden_size);
        }
        if (config.text_input && (config.last_text || layer + 1 < config.num_hidden_layers)) {
            block.text_feed_forward = declare_feed_forward(sink, config, name + ".ffn_text");
        }
        model.blocks.push_back(block);
    }
    model.projection = Projection::declare(sink, hidden, config.projection_size);
    return model;
}

void QFormer::check(const GgufFile& file, const QFormerConfig& config) {
    WeightCheck sink(file);
    declare(sink, config);
}

QFormer::QFormer(const std::shared_ptr<const GgufFile>& file, const QFormerConfig& config, Compute& compute,
                 const LoadMonitor& monitor)
    : config_(config), compute_(compute), weights_(file, compute), model_(declare(weights_, config)) {
    weights_.load(monitor);
}

void QFormer::check_ids(const std::vector<int32_t>& ids) const {
    if (static_cast<int64_t>(ids.size()) > config_.max_position_embeddings) {
        throw ModelError("CONTEXT_LENGTH_EXCEEDED", "the instruction is " + std::to_string(ids.size()) +
                                                        " tokens long for the Q-Former, which has " +
                                                        std::to_string(config_.max_position_embeddings) +
                                                        " positions: shorten it");
    }
    for (const int32_t id : ids) {
        if (id >= 0 && id < config_.vocab_size) continue;
        throw ModelError("OPTION_INVALID", "Q-Former token id " + std::to_string(id) + " is not in 0.." +
                                               std::to_string(config_.vocab_size - 1));
    }
}

// Queries, then the text's tokens with their positions (queries have none), all normalized: [Q+T,D].
ggml_tensor* QFormer::build_embeddings(Graph& graph, const Run& run) const {
    ggml_tensor* x = run.query_count == 0 ? nullptr : model_.queries;
    if (run.queries != nullptr && x != nullptr) {
        x = graph.input("queries", {run.query_count, config_.hidden_size}, run.queries);
    }
    if (!run.ids.empty()) {
        const auto count = static_cast<int64_t>(run.ids.size());
        ggml_tensor* const tokens =
            ggml_get_rows(graph.context(), model_.tokens, graph.input("ids", {count}, run.ids.data()));
        ggml_tensor* const text = ggml_add(graph.context(), tokens, rows(graph, model_.positions, 0, count));
        graph.name(text, "text_embeddings");
        x = x == nullptr ? text : ggml_concat(graph.context(), x, text, 1);
    }
    return graph.name(model_.norm.build(graph, x), "embeddings");
}

// x [Q+T,D] → [Q+T,D]; in the last layer only the queries' rows [Q,D], unless all are wanted.
ggml_tensor* QFormer::build_self_attention(Graph& graph, const Run& run, ggml_tensor* x, ggml_tensor* mask,
                                           int64_t layer) const {
    const Attention& attention = model_.blocks[static_cast<size_t>(layer)].self_attention;
    const int64_t heads = config_.num_attention_heads;
    const int64_t size = config_.head_size();
    const bool queries_only = !run.whole && layer + 1 == config_.num_hidden_layers;
    ggml_tensor* const asking = queries_only ? rows(graph, x, 0, run.query_count) : x;

    ggml_tensor* const q = graph.name(attention.query.build(graph, asking), "self_query", layer);
    ggml_tensor* const k = graph.name(attention.key.build(graph, x), "self_key", layer);
    ggml_tensor* const v = graph.name(attention.value.build(graph, x), "self_value", layer);
    ggml_tensor* const attended = DotProductAttention{0, mask}.build(
        graph, split_heads(graph, q, heads, size), split_heads(graph, k, heads, size),
        split_heads(graph, v, heads, size), "self_attention", layer);
    ggml_tensor* const out = graph.name(attention.out.build(graph, attended), "self_attention_out", layer);
    return graph.name(attention.norm.build(graph, ggml_add(graph.context(), asking, out)), "self_attention_norm",
                      layer);
}

// Depends on the picture alone: a caller that asks often about one picture may keep it. features [M,H] → [M,D] each
QFormer::ImageKeysValues QFormer::build_image_keys_values(Graph& graph, const Attention& attention,
                                                          ggml_tensor* features, int64_t layer) {
    return {graph.name(attention.key.build(graph, features), "cross_key", layer),
            graph.name(attention.value.build(graph, features), "cross_value", layer)};
}

// queries [Q,D], image [M,D] → [Q,D]
ggml_tensor* QFormer::build_cross_attention(Graph& graph, const Attention& attention, ggml_tensor* queries,
                                            const ImageKeysValues& image, ggml_tensor* mask, int64_t layer) const {
    const int64_t heads = config_.num_attention_heads;
    const int64_t size = config_.head_size();
    ggml_tensor* const q = graph.name(attention.query.build(graph, queries), "cross_query", layer);
    ggml_tensor* const attended = DotProductAttention{0, mask}.build(
        graph, split_heads(graph, q, heads, size), split_heads(graph, image.keys, heads, size),
        split_heads(graph, image.values, heads, size), "cross_attention", layer);
    ggml_tensor* const out = graph.name(attention.out.build(graph, attended), "cross_attention_out", layer);
    return graph.name(attention.norm.build(graph, ggml_add(graph.context(), queries, out)), "cross_attention_norm",
                      layer);
}

// x [N,D] → [N,D]
ggml_tensor* QFormer::build_feed_forward(Graph& graph, const FeedForwardNorm& layers, ggml_tensor* x,
                                         const std::string& step, int64_t layer) {
    ggml_tensor* const fed = layers.feed_forward.build(graph, x, step, layer);
    return graph.name(layers.norm.build(graph, ggml_add(graph.context(), x, fed)), step + "_norm", layer);
}

// queries [Q,D] → [Q,D]: they look at the picture.
ggml_tensor* QFormer::build_queries(Graph& graph, ggml_tensor* queries, const Picture& picture, int64_t layer) const {
    const Block& block = model_.blocks[static_cast<size_t>(layer)];
    if (block.cross_attention) {
        const ImageKeysValues image = build_image_keys_values(graph, *block.cross_attention, picture.features, layer);
        queries = build_cross_attention(graph, *block.cross_attention, queries, image, picture.mask, layer);
    }
    return build_feed_forward(graph, block.query_feed_forward, queries, "ffn", layer);
}

// A post-norm block: queries look at the picture, text does not, and each has a feed-forward of its own.
// x [Q+T,D] → [Q+T,D]; the last layer leaves [Q,D], unless all rows are wanted.
ggml_tensor* QFormer::build_block(Graph& graph, const Run& run, ggml_tensor* x, ggml_tensor* mask,
                                  const Picture& picture, int64_t layer) const {
    const Block& block = model_.blocks[static_cast<size_t>(layer)];
    x = build_self_attention(graph, run, x, mask, layer);
    const int64_t text_count = x->ne[1] - run.query_count;
    ggml_tensor* queries = nullptr;
    if (run.query_count > 0) {
        queries = build_queries(graph, rows(graph, x, 0, run.query_count), picture, layer);
    }
    if (text_count == 0 || !block.text_feed_forward) return graph.name(queries, "layer", layer);
    ggml_tensor* const text = build_feed_forward(graph, *block.text_feed_forward,
                                                 rows(graph, x, run.query_count, text_count), "ffn_text", layer);
    return graph.name(queries == nullptr ? text : ggml_concat(graph.context(), queries, text, 1), "layer", layer);
}

// queries [Q,D]; `soft_tokens` may be nullptr: then only a trace can want them.
void QFormer::build_soft_tokens(Graph& graph, ggml_tensor* queries, float* soft_tokens) const {
    ggml_tensor* const projected = model_.projection.build(graph, queries);
    if (soft_tokens != nullptr) graph.output(projected, soft_tokens);
}

void QFormer::compute(const Run& run, float* soft_tokens, const CancelToken& cancel, Trace* trace) {
    check_ids(run.ids);
    const int64_t row_count = run.query_count + static_cast<int64_t>(run.ids.size());
    const AttentionMask self_mask = AttentionMask::of_keys(run.mask, row_count);
    const AttentionMask cross_mask = AttentionMask::of_keys(run.feature_mask, run.query_count);
    hidden_.resize(static_cast<size_t>(row_count * config_.hidden_size));
    for (int64_t first = 0; first < config_.num_hidden_layers; first += layers_per_graph) {
        const int64_t end = std::min(first + layers_per_graph, config_.num_hidden_layers);
        Graph graph("qformer", trace);
        Picture picture{nullptr, nullptr};
        if (run.query_count > 0 && needs_features(first, end)) {
            picture = {graph.input("features", {run.feature_count, config_.encoder_hidden_size}, run.features),
                       cross_mask.build(graph, "cross_mask")};
        }
        ggml_tensor* const mask = self_mask.build(graph, "self_mask");
        ggml_tensor* x = first == 0 ? build_embeddings(graph, run)
                                    : graph.input("hidden", {row_count, config_.hidden_size}, hidden_.data());
        for (int64_t layer = first; layer < end; ++layer) x = build_block(graph, run, x, mask, picture, layer);
        if (end < config_.num_hidden_layers) {
            graph.output(x, hidden_.data());
        } else {
            graph.name(x, "output");
            if (run.whole) ggml_build_forward_expand(graph.graph(), x);  // computed even if it is not traced
            if (run.query_count > 0) build_soft_tokens(graph, rows(graph, x, 0, run.query_count), soft_tokens);
        }
        compute_.run(graph, cancel, trace);
    }
}

void QFormer::run(const float* features, const std::vector<int32_t>& ids, float* soft_tokens, const CancelToken& cancel,
                  Trace* trace) {
    // Without text input the instruction has no way into the model (as in BLIP-2).
    const std::vector<int32_t> used = config_.text_input ? ids : std::vector<int32_t>();
    compute({features, config_.encoder_tokens, used, nullptr, config_.num_query_tokens, {}, {}, false}, soft_tokens,
            cancel, trace);
}

void QFormer::run_whole(const QFormerInput& input, const CancelToken& cancel, Trace& trace) {
    const int64_t feature_count = count_rows("features", input.features, config_.encoder_hidden_size);
    const int64_t query_count =
        input.queries ? count_rows("queries", *input.queries, config_.hidden_size) : config_.num_query_tokens;
    const int64_t row_count = query_count + static_cast<int64_t>(input.ids.size());
    check_mask("mask", input.mask, row_count);
    check_mask("feature mask", input.feature_mask, feature_count);
    if (row_count == 0) throw ModelError("OPTION_INVALID", "the Q-Former needs queries or ids");
    if (query_count > 0 && feature_count == 0) throw ModelError("OPTION_INVALID", "queries need a picture's features");
    if (!input.ids.empty() && !config_.text_input) {
        throw ModelError("OPTION_UNSUPPORTED", "this model's Q-Former takes no text: leave its ids out");
    }
    if (!input.ids.empty() && !config_.last_text) {
        throw ModelError("OPTION_UNSUPPORTED",
                         "the file lacks the text's feed-forward of the Q-Former's last layer (ffn_text): convert the "
                         "checkpoint with this package");
    }
    compute({input.features.data(), feature_count, input.ids, input.queries ? input.queries->data() : nullptr,
             query_count, input.mask, input.feature_mask, true},
            nullptr, cancel, &trace);
}

// Whether any of the layers [first, end) looks at the picture.
bool QFormer::needs_features(int64_t first, int64_t end) const {
    while (first < end && !config_.has_cross_attention(first)) ++first;
    return first < end;
}

}  // namespace instructblip
