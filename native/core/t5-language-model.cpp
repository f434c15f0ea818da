#include "t5-language-model.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "attention-mask.h"
#include "graph.h"

namespace instructblip {
namespace {

// Layers per graph: see vision-encoder.cpp. A layer of the decoder has at most 70 nodes.
constexpr int64_t encoder_layers_per_graph = 12;
constexpr int64_t decoder_layers_per_graph = 24;

// Buckets of every key [N] for every query [N].
std::vector<int32_t> encoder_buckets(const T5Config& config, int64_t rows) {
    const RelativePositions relative{config.relative_attention_num_buckets, config.relative_attention_max_distance,
                                     true};
    std::vector<int32_t> buckets;
    buckets.reserve(static_cast<size_t>(rows * rows));
    for (int64_t query = 0; query < rows; ++query) {
        for (int64_t key = 0; key < rows; ++key) buckets.push_back(relative.bucket_of(query, key));
    }
    return buckets;
}

// Buckets of what the decoder's rows see [R,count]; 0 for what they do not see.
std::vector<int32_t> decoder_buckets(const T5Config& config, const DecoderRows& rows) {
    const RelativePositions relative{config.relative_attention_num_buckets, config.relative_attention_max_distance,
                                     false};
    std::vector<int32_t> buckets;
    buckets.reserve(rows.own.positions.size());
    for (size_t i = 0; i < rows.own.positions.size(); ++i) {
        const int32_t key = rows.own.positions[i];
        const int32_t query = rows.positions[i / static_cast<size_t>(rows.own.count)];
        buckets.push_back(key < 0 ? 0 : relative.bucket_of(query, key));
    }
    return buckets;
}

}  // namespace

// What all layers of a decoder graph share; filled where the graph is built.
struct T5Model::DecoderInputs {
    const DecoderRows& rows;
    KvCache& cache;
    ggml_tensor* cells;         // [R]
    ggml_tensor* bias;          // [heads,R,own.count]
    DotProductAttention cross;  // with what rows see of the encoder
};

void T5Model::check(const GgufFile& file, const T5Config& config) {
    WeightCheck sink(file);
    T5Weights::declare(sink, config);
    sink.ignore("dec.blk.0.cross_attn_rel_b.weight");  // of old T5 checkpoints; HF ignores it too
    sink.require_no_others();
}

T5Model::T5Model(const std::shared_ptr<const GgufFile>& file, const T5Config& config, Compute& compute,
                 const LanguageModelOptions& options, const LoadMonitor& monitor)
    // Keys and values can be as large as activations are, which pass F16's range in published models.
    : DecoderModel(compute, config.cache_shape(), GGML_TYPE_F32, options),
      config_(config),
      weights_(file, compute),
      model_(T5Weights::declare(weights_, config)) {
    weights_.load(monitor);
}

void T5Model::encode(const Prompt& prompt, const std::vector<int32_t>& mask, KvCache& cache,
                     const std::vector<int32_t>& cells, const CancelToken& cancel, Trace* trace) {
    const auto rows = static_cast<int64_t>(cells.size());
    require_score_memory(rows);
    const std::vector<int32_t> buckets = encoder_buckets(config_, rows);
    const AttentionMask hidden_rows = AttentionMask::of_keys(mask, rows);
    hidden_.resize(static_cast<size_t>(rows * config_.d_model));
    for (int64_t first = 0; first < config_.num_layers; first += encoder_layers_per_graph) {
        const int64_t end = std::min(first + encoder_layers_per_graph, config_.num_layers);
        Graph graph("encoder", trace);
        ggml_tensor* bias = build_bias(graph, model_.encoder.relative_bias, buckets, rows);
        if (ggml_tensor* const hidden = hidden_rows.build(graph, "mask"))
            bias = ggml_add(graph.context(), bias, hidden);
        ggml_tensor* x = first == 0 ? build_embeddings(graph, prompt.soft_tokens, prompt.tokens)
                                    : graph.input("hidden", {rows, config_.d_model}, hidden_.data());
        for (int64_t layer = first; layer < end; ++layer) {
            x = build_encoder_block(graph, model_.encoder.blocks[static_cast<size_t>(layer)], x, bias, layer);
        }
        if (end == config_.num_layers) x = graph.name(model_.encoder.norm.build(graph, x), "output");
        graph.output(x, hidden_.data());
        compute().run(graph, cancel, trace);
    }
    Graph graph("cross");
    ggml_tensor* const encoded = graph.input("encoded", {rows, config_.d_model}, hidden_.data());
    build_cross_cache(graph, encoded, cache, graph.input("cells", {rows}, cells.data()));
    compute().run(graph, cancel);
}

// [soft tokens][tokens] → [N,D]
ggml_tensor* T5Model::build_embeddings(Graph& graph, const std::vector<float>& soft_tokens,
                                       const std::vector<int32_t>& tokens) const {
    return graph.name(build_rows(graph, model_.tokens, soft_tokens, tokens, config_.d_model), "embeddings");
}

// table [buckets,heads], buckets [rows,M] → [heads,rows,M]
ggml_tensor* T5Model::build_bias(Graph& graph, ggml_tensor* table, const std::vector<int32_t>& buckets,
                                 int64_t rows) const {
    ggml_context* const context = graph.context();
    const auto count = static_cast<int64_t>(buckets.size());
    ggml_tensor* const ids = graph.input("buckets", {count}, buckets.data());
    ggml_tensor* const biases =
        ggml_reshape_3d(context, ggml_get_rows(context, table, ids), config_.num_heads, count / rows, rows);
    return graph.name(ggml_cont(context, ggml_permute(context, biases, 2, 0, 1, 3)), "relative_bias");
}

// [N,inner] → [N,heads,size]
ggml_tensor* T5Model::split(Graph& graph, ggml_tensor* x) const {
    return split_heads(graph, x, config_.num_heads, config_.d_kv);
}

// x [N,D] → [N,D]
ggml_tensor* T5Model::build_encoder_block(Graph& graph, const T5Weights::Block& block, ggml_tensor* x,
                                          ggml_tensor* bias, int64_t layer) const {
    const T5Weights::Attention& attention = block.self_attention;
    ggml_tensor* const normalized = graph.name(attention.norm.build(graph, x), "self_norm", layer);
    ggml_tensor* const attended = DotProductAttention{1, bias}.build(
        graph, split(graph, attention.query.build(graph, normalized)),
        split(graph, attention.key.build(graph, normalized)), split(graph, attention.value.build(graph, normalized)),
        "self_attention", layer);
    x = ggml_add(graph.context(), x, attention.out.build(graph, attended));
    return build_feed_forward(graph, block.feed_forward, graph.name(x, "self_residual", layer), layer);
}

// encoded [N,D]: keys and values of every decoder layer's cross-attention, once for all steps.
void T5Model::build_cross_cache(Graph& graph, ggml_tensor* encoded, KvCache& cache, ggml_tensor* cells) const {
    for (int64_t layer = 0; layer < config_.num_decoder_layers; ++layer) {
        const T5Weights::Attention& cross = model_.decoder.cross_attentions[static_cast<size_t>(layer)];
        cache.write(graph, layer, cross.key.build(graph, encoded), cross.value.build(graph, encoded), cells);
    }
}

void T5Model::decode(const DecoderRows& rows, KvCache& cache, const CancelToken& cancel, Trace* trace,
                     std::vector<float>& logits) {
    const auto count = static_cast<int64_t>(rows.cells.size());
    const std::vector<int32_t> buckets = decoder_buckets(config_, rows);
    hidden_.resize(static_cast<size_t>(count * config_.d_model));
    logits.resize(static_cast<size_t>(rows.outputs * config_.vocab_size));
    const AttentionMask own(rows.own.positions, rows.own.count);
    const AttentionMask encoder(rows.encoder.positions, rows.encoder.count);
    for (int64_t first = 0; first < config_.num_decoder_layers; first += decoder_layers_per_graph) {
        const int64_t end = std::min(first + decoder_layers_per_graph, config_.num_decoder_layers);
        Graph graph("decoder", trace);
        ggml_tensor* bias = build_bias(graph, model_.decoder.relative_bias, buckets, count);
        if (ggml_tensor* const mask = own.build(graph, "own_mask")) bias = ggml_add(graph.context(), bias, mask);
        const DecoderInputs inputs{rows,
                                   cache,
                                   graph.input("cells", {count}, rows.cells.data()),
                                   bias,
                                   {1, encoder.build(graph, "encoder_mask")}};
        ggml_tensor* x = first == 0 ? build_embeddings(graph, {}, rows.tokens)
                                    : graph.input("hidden", {count, config_.d_model}, hidden_.data());
        for (int64_t layer = first; layer < end; ++layer) x = build_decoder_block(graph, inputs, x, layer);
        if (end == config_.num_decoder_layers) {
            graph.output(build_head(graph, last_rows(graph, x, rows.outputs)), logits.data());
        } else {
            graph.output(x, hidden_.data());
        }
        compute().run(graph, cancel, trace);
    }
}

// x [R,D] → [R,D]
ggml_tensor* T5Model::build_decoder_block(Graph& graph, const DecoderInputs& inputs, ggml_tensor* x,
                                          int64_t layer) const {
    const T5Weights::Block& block = model_.decoder.blocks[static_cast<size_t>(layer)];
    const VisibleCells& own = inputs.rows.own;
    const VisibleCells& encoder = inputs.rows.encoder;
    KvCache& cache = inputs.cache;

    const T5Weights::Attention& self = block.self_attention;
    ggml_tensor* normalized = self.norm.build(graph, x);
    ggml_tensor* query = self.query.build(graph, normalized);
    cache.write(graph, layer, self.key.build(graph, normalized), self.value.build(graph, normalized), inputs.cells);
    ggml_tensor* attended =
        DotProductAttention{1, inputs.bias}.build_transposed(graph, split(graph, query), cache.keys(graph, layer, own),
                                                             cache.values(graph, layer, own), "self_attention", layer);
    x = graph.name(ggml_add(graph.context(), x, self.out.build(graph, attended)), "self_residual", layer);

    const T5Weights::Attention& cross = model_.decoder.cross_attentions[static_cast<size_t>(layer)];
    normalized = cross.norm.build(graph, x);
    query = cross.query.build(graph, normalized);
    attended = inputs.cross.build_transposed(graph, split(graph, query), cache.keys(graph, layer, encoder),
                                             cache.values(graph, layer, encoder), "cross_attention", layer);
    x = graph.name(ggml_add(graph.context(), x, cross.out.build(graph, attended)), "cross_residual", layer);
    return build_feed_forward(graph, block.feed_forward, x, layer);
}

// x [N,D] → [N,D]: x + down(act(gate(norm(x))) · up(norm(x))), or without the gate down(act(up(norm(x)))).
ggml_tensor* T5Model::build_feed_forward(Graph& graph, const T5Weights::FeedForward& layers, ggml_tensor* x,
                                         int64_t layer) const {
    ggml_tensor* const normalized = layers.norm.build(graph, x);
    ggml_tensor* const up = layers.up.build(graph, normalized);
    const Activation activation = config_.dense_act_fn;
    ggml_tensor* const inner = layers.gate
                                   ? activate_gated(graph, layers.gate->build(graph, normalized), up, activation)
                                   : activate(graph, up, activation);
    graph.name(inner, "ffn_inner", layer);  // up to 1.2e5 in published models
    ggml_tensor* const down = layers.down.build_for_large(graph, inner, compute().is_cpu());
    return graph.name(ggml_add(graph.context(), x, down), "layer", layer);
}

// x [N,D] → logits [N,V]. A tied head is scaled, as in T5's first version.
ggml_tensor* T5Model::build_head(Graph& graph, ggml_tensor* x) const {
    x = graph.name(model_.decoder.norm.build(graph, x), "output");
    if (config_.tie_word_embeddings) {
        x = ggml_scale(graph.context(), x, 1.0F / std::sqrt(static_cast<float>(config_.d_model)));
    }
    return graph.name(model_.head.build(graph, x), "logits");
}

}  // namespace instructblip
