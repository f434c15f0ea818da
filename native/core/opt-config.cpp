#include "opt-config.h"

#include <string>

#include "config-limits.h"

namespace instructblip {

OptConfig OptConfig::read(const GgufFile& file) {
    const auto size = [&](const char* key, int64_t maximum) { return file.require_integer(key, 1, maximum); };
    OptConfig config{};
    config.hidden_size = size("opt.embedding_length", limits::hidden);
    config.word_embed_proj_dim = size("opt.word_embed_proj_dim", limits::hidden);
    config.ffn_dim = size("opt.feed_forward_length", limits::intermediate);
    config.num_hidden_layers = size("opt.block_count", limits::layers);
    config.num_attention_heads = size("opt.attention.head_count", limits::heads);
    if (config.hidden_size % config.num_attention_heads != 0) {
        file.throw_key_invalid("opt.attention.head_count", "a divisor of opt.embedding_length " +
                                                               std::to_string(config.hidden_size) + ", not " +
                                                               std::to_string(config.num_attention_heads));
    }
    config.max_position_embeddings = size("opt.context_length", limits::positions);
    config.layer_norm_eps = require_epsilon(file, "opt.attention.layer_norm_epsilon");
    config.activation_function = read_activation(file, "opt.activation_function");
    config.do_layer_norm_before = file.require_bool("opt.do_layer_norm_before");
    config.has_final_norm = config.do_layer_norm_before && file.find_tensor("output_norm.weight") != nullptr;
    config.enable_bias = file.find_tensor("blk.0.attn_q.bias") != nullptr;
    config.tie_word_embeddings = file.find_tensor("output.weight") == nullptr;
    config.vocab_size = static_cast<int64_t>(file.require_strings("tokenizer.ggml.tokens").size());
    return config;
}

}  // namespace instructblip
