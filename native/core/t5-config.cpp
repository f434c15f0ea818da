#include "t5-config.h"

#include <algorithm>
#include <limits>
#include <string>

#include "config-limits.h"
#include "error.h"

namespace instructblip {
namespace {

// In any block: where the first one's is missing, the others tell that it should be there.
bool has_gate(const GgufFile& file) {
    const std::string gate = ".ffn_gate.weight";
    return std::any_of(file.tensors().begin(), file.tensors().end(), [&](const GgufTensor& tensor) {
        return tensor.name.size() > gate.size() &&
               tensor.name.compare(tensor.name.size() - gate.size(), gate.size(), gate) == 0;
    });
}

// Keys that have no effect here: wrong values are a sign of damage all the same.
void check_unused_keys(const GgufFile& file, const T5Config& config) {
    const auto check = [&](const char* key, int64_t minimum, int64_t maximum) {
        if (file.find(key) != nullptr) file.require_integer(key, minimum, maximum);
    };
    check("t5.context_length", 1, std::numeric_limits<int32_t>::max());
    check("t5.decoder_start_token_id", 0, config.vocab_size - 1);
    const char* const epsilon = "t5.attention.layer_norm_epsilon";
    if (file.find(epsilon) != nullptr) require_epsilon(file, epsilon);
}

}  // namespace

T5Config T5Config::read(const GgufFile& file) {
    const auto size = [&](const char* key, int64_t minimum, int64_t maximum) {
        return file.require_integer(key, minimum, maximum);
    };
    const auto size_or = [&](const char* key, int64_t fallback, int64_t minimum, int64_t maximum) {
        return file.find(key) == nullptr ? fallback : size(key, minimum, maximum);
    };
    T5Config config{};
    config.d_model = size("t5.embedding_length", 1, limits::hidden);
    config.d_ff = size("t5.feed_forward_length", 1, limits::intermediate);
    config.num_layers = size("t5.block_count", 1, limits::layers);
    config.num_decoder_layers = size_or("t5.decoder_block_count", config.num_layers, 1, limits::layers);
    config.num_heads = size("t5.attention.head_count", 1, limits::heads);
    config.d_kv = size("t5.attention.key_length", 1, limits::hidden);
    size("t5.attention.value_length", config.d_kv, config.d_kv);
    config.layer_norm_epsilon = require_epsilon(file, "t5.attention.layer_norm_rms_epsilon");
    // At least one distance of each direction of the encoder has a bucket of its own, and the last bucket lies beyond.
    config.relative_attention_num_buckets = size("t5.attention.relative_buckets_count", 4, limits::buckets);
    const char* const distance_key = "instructblip.t5.relative_attention_max_distance";
    const int64_t least_distance = config.relative_attention_num_buckets / 2 + 1;
    config.relative_attention_max_distance = size_or(distance_key, 128, least_distance, limits::positions);
    if (config.relative_attention_max_distance < least_distance) {
        file.throw_key_invalid(distance_key, "there, and an integer of at least " + std::to_string(least_distance));
    }
    config.dense_act_fn = read_activation(file, "instructblip.t5.dense_act_fn");
    config.is_gated_act = has_gate(file);
    config.tie_word_embeddings = file.find_tensor("output.weight") == nullptr;
    config.vocab_size = static_cast<int64_t>(file.require_strings("tokenizer.ggml.tokens").size());
    check_unused_keys(file, config);
    return config;
}

}  // namespace instructblip
