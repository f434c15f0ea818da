#include "opt-config.h"

#include <algorithm>
#include <string>

#include "config-limits.h"

namespace instructblip {
namespace {

// Whether any tensor's name begins and ends so. Any: where the first one is missing, the others tell that it should be
// there.
bool has_tensor(const GgufFile& file, const std::string& begin, const std::string& end) {
    return std::any_of(file.tensors().begin(), file.tensors().end(), [&](const GgufTensor& tensor) {
        const std::string& name = tensor.name;
        return name.size() >= begin.size() + end.size() && name.compare(0, begin.size(), begin) == 0 &&
               name.compare(name.size() - end.size(), end.size(), end) == 0;
    });
}

}  // namespace

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
    file.require_string("opt.activation_function");  // no default: it is a file of our own converter
    config.activation_function = read_activation(file, "opt.activation_function");
    config.do_layer_norm_before = file.require_bool("opt.do_layer_norm_before");
    config.has_final_norm = config.do_layer_norm_before && has_tensor(file, "output_norm.", "");
    config.enable_bias = has_tensor(file, "blk.", "attn_q.bias") || has_tensor(file, "blk.", "ffn_up.bias");
    config.tie_word_embeddings = file.find_tensor("output.weight") == nullptr;
    config.vocab_size = static_cast<int64_t>(file.require_strings("tokenizer.ggml.tokens").size());
    return config;
}

}  // namespace instructblip
