#include "t5-language-model.h"

namespace instructblip {
namespace {

T5Weights::Attention declare_attention(WeightSink& sink, const T5Config& config, const std::string& name) {
    const int64_t inner = config.inner_size();
    return {RmsNorm::declare(sink, name + "_norm", config.d_model, config.layer_norm_epsilon),
            Linear::declare(sink, name + "_q", inner, config.d_model, false),
            Linear::declare(sink, name + "_k", inner, config.d_model, false),
            Linear::declare(sink, name + "_v", inner, config.d_model, false),
            Linear::declare(sink, name + "_o", config.d_model, inner, false)};
}

T5Weights::FeedForward declare_feed_forward(WeightSink& sink, const T5Config& config, const std::string& name) {
    T5Weights::FeedForward layers{RmsNorm::declare(sink, name + "_norm", config.d_model, config.layer_norm_epsilon),
                                  {},
                                  Linear::declare(sink, name + "_up", config.d_ff, config.d_model, false),
                                  Linear::declare(sink, name + "_down", config.d_model, config.d_ff, false)};
    if (config.is_gated_act) layers.gate = Linear::declare(sink, name + "_gate", config.d_ff, config.d_model, false);
    return layers;
}

// `stage`: `enc` or `dec`.
T5Weights::Stack declare_stack(WeightSink& sink, const T5Config& config, const std::string& stage, int64_t layers,
                               bool is_decoder) {
    T5Weights::Stack stack{};
    stack.relative_bias = sink.add(stage + ".blk.0.attn_rel_b.weight",
                                   {config.relative_attention_num_buckets, config.num_heads}, WeightUse::table);
    for (int64_t layer = 0; layer < layers; ++layer) {
        const std::string name = stage + ".blk." + std::to_string(layer);
        stack.blocks.push_back(
            {declare_attention(sink, config, name + ".attn"), declare_feed_forward(sink, config, name + ".ffn")});
        if (is_decoder) stack.cross_attentions.push_back(declare_attention(sink, config, name + ".cross_attn"));
    }
    stack.norm = RmsNorm::declare(sink, stage + ".output_norm", config.d_model, config.layer_norm_epsilon);
    return stack;
}

}  // namespace

T5Weights T5Weights::declare(WeightSink& sink, const T5Config& config) {
    T5Weights model{};
    model.tokens = sink.add("token_embd.weight", {config.vocab_size, config.d_model}, WeightUse::table);
    model.encoder = declare_stack(sink, config, "enc", config.num_layers, false);
    model.decoder = declare_stack(sink, config, "dec", config.num_decoder_layers, true);
    model.head = Linear::declare(sink, config.tie_word_embeddings ? "token_embd" : "output", config.vocab_size,
                                 config.d_model, false);
    return model;
}

}  // namespace instructblip
