#include "vision-encoder.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "error.h"
#include "graph.h"

namespace instructblip {
namespace {

// Layers per graph: few enough that a cancel is seen soon on devices that compute a graph as a whole, and that the
// graph fits Graph::max_nodes; enough that handing the hidden states over costs nothing.
constexpr int64_t layers_per_graph = 8;

void require_finite(const float* pixels, int64_t count) {
    const float* const end = pixels + count;
    const float* const bad = std::find_if_not(pixels, end, [](float value) { return std::isfinite(value); });
    if (bad == end) return;
    throw ModelError("IMAGE_INPUT_INVALID", "pixel value " + std::to_string(bad - pixels) + " is not a finite number");
}

// pixels [3,height,width] → patches [N,3*P*P], row by row, each in the order of the weight's [3,P,P]. Pixels that fill
// no whole patch, at the right and at the bottom, are left out, as by a convolution.
void cut_patches(const float* pixels, const GridSize& size, int64_t patch, float* patches) {
    for (int64_t y = 0; y + patch <= size.height; y += patch) {
        for (int64_t x = 0; x + patch <= size.width; x += patch) {
            for (int64_t row = 0; row < 3 * patch; ++row) {
                const int64_t channel = row / patch;
                const float* const source = pixels + (channel * size.height + y + row % patch) * size.width + x;
                patches = std::copy_n(source, patch, patches);
            }
        }
    }
}

}  // namespace

VisionEncoder::Model VisionEncoder::declare(WeightSink& sink, const VisionConfig& config) {
    const int64_t hidden = config.hidden_size;
    const int64_t patch = config.patch_size;
    Model model{};
    model.class_embedding = sink.add("v.class_embd", {hidden}, WeightUse::vector);
    model.patch_embedding = {sink.add("v.patch_embd.weight", {hidden, 3, patch, patch}, WeightUse::product),
                             sink.add("v.patch_embd.bias", {hidden}, WeightUse::vector)};
    model.position_embedding = sink.add("v.position_embd.weight", {config.token_count(), hidden}, WeightUse::vector);
    for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
        const std::string name = "v.blk." + std::to_string(layer);
        model.blocks.push_back({LayerNorm::declare(sink, name + ".ln1", hidden, config.layer_norm_eps),
                                Linear::declare(sink, name + ".attn_qkv", 3 * hidden, hidden),
                                Linear::declare(sink, name + ".attn_out", hidden, hidden),
                                LayerNorm::declare(sink, name + ".ln2", hidden, config.layer_norm_eps),
                                FeedForward::declare(sink, name + ".ffn", hidden, config.intermediate_size)});
    }
    model.post_layernorm = LayerNorm::declare(sink, "v.post_ln", hidden, config.post_layernorm_eps);
    return model;
}

void VisionEncoder::check(const GgufFile& file, const VisionConfig& config) {
    WeightCheck sink(file);
    declare(sink, config);
}

VisionEncoder::VisionEncoder(const std::shared_ptr<const GgufFile>& file, const VisionConfig& config, Compute& compute,
                             const LoadMonitor& monitor)
    : config_(config), compute_(compute), weights_(file, compute), model_(declare(weights_, config)) {
    weights_.load(monitor);
}

GridSize VisionEncoder::grid_of(const GridSize& size) const {
    return {size.height / config_.patch_size, size.width / config_.patch_size};
}

void VisionEncoder::check_size(const GridSize& size) const {
    const GridSize grid = grid_of(size);
    const std::string given = "a picture of " + std::to_string(size.width) + "x" + std::to_string(size.height);
    if (grid.height < 1 || grid.width < 1) {
        throw ModelError("OPTION_INVALID", given + " has no whole patch of " + std::to_string(config_.patch_size) +
                                               " pixels: use a larger one");
    }
    const int64_t most = config_.most_tokens();
    if (grid.height <= most && grid.width <= most && grid.height * grid.width < most) return;
    throw ModelError("OPTION_INVALID", given + " has more patches than " + std::to_string(most - 1) +
                                           ", which is what attention scores may take: use a smaller one");
}

// Of the class token and of the grid's patches [1+N,H]; empty: the model's own hold.
std::vector<float> VisionEncoder::positions_of(const GridSize& grid) const {
    const GridSize own = grid_of(own_size());
    if (grid.height == own.height && grid.width == own.width) return {};
    ggml_tensor* const table = model_.position_embedding;
    std::vector<float> known(static_cast<size_t>(ggml_nelements(table)));
    ggml_backend_tensor_get(table, known.data(), 0, ggml_nbytes(table));
    std::vector<float> positions(known.begin(), known.begin() + config_.hidden_size);
    const std::vector<float> resized =
        resize_bicubic(known.data() + config_.hidden_size, own, grid, config_.hidden_size);
    positions.insert(positions.end(), resized.begin(), resized.end());
    return positions;
}

// patches [N,3*P*P] → [1+N,H]: the class token first, then positions added to all.
ggml_tensor* VisionEncoder::build_embeddings(Graph& graph, const float* patches, const GridSize& grid,
                                             const std::vector<float>& positions) const {
    const int64_t count = grid.height * grid.width;
    ggml_tensor* const input = graph.input("pixels", {count, config_.patch_values()}, patches);
    ggml_tensor* const embedded = graph.name(model_.patch_embedding.build(graph, input), "patches");
    ggml_tensor* const class_token = ggml_reshape_2d(graph.context(), model_.class_embedding, config_.hidden_size, 1);
    ggml_tensor* const tokens = ggml_concat(graph.context(), class_token, embedded, 1);
    ggml_tensor* const added = positions.empty()
                                   ? model_.position_embedding
                                   : graph.input("positions", {1 + count, config_.hidden_size}, positions.data());
    return graph.name(ggml_add(graph.context(), tokens, added), "embeddings");
}

// A pre-norm transformer block. x [1+N,H] → [1+N,H]
ggml_tensor* VisionEncoder::build_block(Graph& graph, ggml_tensor* x, int64_t layer) const {
    const Block& block = model_.blocks[static_cast<size_t>(layer)];
    const int64_t heads = config_.num_attention_heads;
    const int64_t size = config_.head_size();

    ggml_tensor* const normalized = graph.name(block.norm1.build(graph, x), "norm1", layer);
    ggml_tensor* const qkv = graph.name(block.qkv.build(graph, normalized), "qkv", layer);  // [1+N,3H]
    ggml_tensor* const q = split_heads(graph, qkv, heads, size);
    ggml_tensor* const k = split_heads(graph, qkv, heads, size, config_.hidden_size);
    ggml_tensor* const v = split_heads(graph, qkv, heads, size, 2 * config_.hidden_size);
    ggml_tensor* const attended = DotProductAttention{}.build(graph, q, k, v, "attention", layer);
    ggml_tensor* const attention_out = graph.name(block.attention_out.build(graph, attended), "attention_out", layer);
    x = graph.name(ggml_add(graph.context(), x, attention_out), "attention_residual", layer);

    ggml_tensor* const normalized2 = graph.name(block.norm2.build(graph, x), "norm2", layer);
    ggml_tensor* const fed = block.feed_forward.build(graph, normalized2, "ffn", layer);
    return graph.name(ggml_add(graph.context(), x, fed), "layer", layer);
}

// The last block's x [1+N,H] → features [1+N,H]. HF pools by normalizing the class token once more.
ggml_tensor* VisionEncoder::build_end(Graph& graph, ggml_tensor* x) const {
    x = graph.name(model_.post_layernorm.build(graph, x), "post_layernorm");
    ggml_tensor* const class_token = ggml_view_1d(graph.context(), x, config_.hidden_size, 0);
    graph.name(model_.post_layernorm.build(graph, class_token), "pooler_output");
    return x;
}

void VisionEncoder::encode_one(const float* pixels, const GridSize& size, float* features, const CancelToken& cancel,
                               Trace* trace) {
    const GridSize grid = grid_of(size);
    const int64_t patch_count = grid.height * grid.width;
    const std::vector<float> positions = positions_of(grid);
    patches_.resize(static_cast<size_t>(patch_count * config_.patch_values()));
    cut_patches(pixels, size, config_.patch_size, patches_.data());
    // `features` holds the hidden states between graphs: [1+N,H], as the result.
    for (int64_t first = 0; first < config_.num_hidden_layers; first += layers_per_graph) {
        const int64_t end = std::min(first + layers_per_graph, config_.num_hidden_layers);
        Graph graph("vision", trace);
        ggml_tensor* x = first == 0 ? build_embeddings(graph, patches_.data(), grid, positions)
                                    : graph.input("hidden", {1 + patch_count, config_.hidden_size}, features);
        for (int64_t layer = first; layer < end; ++layer) x = build_block(graph, x, layer);
        if (end == config_.num_hidden_layers) x = build_end(graph, x);
        graph.output(x, features);
        compute_.run(graph, cancel, trace);
    }
}

void VisionEncoder::encode(const float* pixels, int64_t batch, float* features, const CancelToken& cancel,
                           Trace* trace) {
    if (trace != nullptr && batch != 1) {
        throw ModelError("OPTION_INVALID", "intermediates are those of one picture, not of " + std::to_string(batch));
    }
    require_finite(pixels, batch * config_.pixel_count());
    for (int64_t i = 0; i < batch; ++i) {
        encode_one(pixels + i * config_.pixel_count(), own_size(), features + i * config_.feature_count(), cancel,
                   trace);
    }
}

std::vector<float> VisionEncoder::encode_sized(const float* pixels, const GridSize& size, const CancelToken& cancel,
                                               Trace* trace) {
    check_size(size);
    require_finite(pixels, 3 * size.height * size.width);
    const GridSize grid = grid_of(size);
    std::vector<float> features(static_cast<size_t>((1 + grid.height * grid.width) * config_.hidden_size));
    encode_one(pixels, size, features.data(), cancel, trace);
    return features;
}

}  // namespace instructblip
