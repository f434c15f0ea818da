#include "config.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "config-limits.h"
#include "error.h"

namespace instructblip {
namespace {

constexpr int64_t largest_image = 4096;
constexpr int64_t most_picture_tokens = 16384;
constexpr int64_t most_positions = 16384;
constexpr int64_t most_queries = 4096;
constexpr int64_t largest_score_bytes = int64_t{4} << 30;
constexpr int64_t bicubic = 3;  // of Pillow's filters
constexpr int64_t largest_id = std::numeric_limits<int32_t>::max();

[[noreturn]] void throw_unsupported(const GgufFile& file, const std::string& problem) {
    throw ModelError("MODEL_FILE_UNSUPPORTED", "model file " + file.path() + " is not supported: " + problem);
}

void require_text(const GgufFile& file, const std::string& key, const std::string& expected,
                  const std::string& remedy) {
    const std::string& value = file.require_string(key);
    if (value != expected) throw_unsupported(file, key + " is '" + value + "', not '" + expected + "'. " + remedy);
}

// The only one of HF's activations that a published InstructBLIP has: the exact GELU, by the error function.
void require_gelu(const GgufFile& file, const std::string& key) {
    require_text(file, key, "gelu", "Only the exact GELU is implemented");
}

int64_t read_heads(const GgufFile& file, const std::string& key, int64_t hidden_size) {
    const int64_t heads = file.require_integer(key, 1, limits::heads);
    if (hidden_size % heads != 0) {
        file.throw_key_invalid(
            key, "a divisor of the hidden size " + std::to_string(hidden_size) + ", not " + std::to_string(heads));
    }
    return heads;
}

// Attention scores are held as a whole.
void limit_scores(const GgufFile& file, const char* what, int64_t heads, int64_t rows, int64_t columns) {
    const int64_t bytes = heads * rows * columns * static_cast<int64_t>(sizeof(float));
    if (bytes > largest_score_bytes) {
        throw_unsupported(file, std::string(what) + " would need " + std::to_string(bytes) +
                                    " bytes for attention scores, more than " + std::to_string(largest_score_bytes));
    }
}

std::array<double, 3> read_channels(const GgufFile& file, const std::string& key) {
    const std::vector<double> values = file.require_numbers(key);
    if (values.size() != 3) {
        file.throw_key_invalid(key, "an array of 3 numbers, not of " + std::to_string(values.size()));
    }
    return {values[0], values[1], values[2]};
}

void read_tokenizer(const GgufFile& file, const QFormerConfig& qformer, ProcessorFacts& facts) {
    const std::string prefix = "instructblip.qformer.tokenizer.";
    facts.tokens = file.require_strings(prefix + "tokens");
    const auto count = static_cast<int64_t>(facts.tokens.size());
    if (count == 0 || count > qformer.vocab_size) {
        file.throw_key_invalid(prefix + "tokens", "an array of 1.." + std::to_string(qformer.vocab_size) +
                                                      " strings (instructblip.qformer.vocab_size), not of " +
                                                      std::to_string(count));
    }
    facts.cls_token_id = file.require_integer(prefix + "cls_token_id", 0, count - 1);
    facts.sep_token_id = file.require_integer(prefix + "sep_token_id", 0, count - 1);
    facts.pad_token_id = file.require_integer(prefix + "pad_token_id", 0, count - 1);
    facts.unk_token_id = file.require_integer(prefix + "unk_token_id", 0, count - 1);
    facts.lowercase = file.require_bool(prefix + "lowercase");
    facts.strip_accents = file.require_bool(prefix + "strip_accents");
    facts.tokenize_chinese_chars = file.require_bool(prefix + "tokenize_chinese_chars");
    for (const int64_t id : file.require_integers(prefix + "special_tokens", 0, count - 1)) {
        facts.special_tokens.push_back(static_cast<int32_t>(id));
    }
}

}  // namespace

float require_epsilon(const GgufFile& file, const std::string& key) {
    const double number = file.require_number(key);
    const auto eps =
        number > 0 && number <= 1 ? static_cast<float>(number) : 0.0F;  // beyond f32's range there is no conversion
    if (!(eps > 0)) file.throw_key_invalid(key, "a number above 0, at most 1");
    return eps;
}

int64_t VisionConfig::most_tokens() const {
    const int64_t squared = largest_score_bytes / (num_attention_heads * static_cast<int64_t>(sizeof(float)));
    return std::min(most_picture_tokens, static_cast<int64_t>(std::sqrt(static_cast<double>(squared))));
}

VisionConfig VisionConfig::read(const GgufFile& file) {
    require_text(file, "general.architecture", "clip",
                 "It should be the mmproj-*.gguf that `instructblip convert` wrote; are the two files swapped?");
    require_text(file, "clip.projector_type", "instructblip",
                 "It is the vision part of another model; convert an InstructBLIP checkpoint");
    if (!file.require_bool("clip.has_vision_encoder")) file.throw_key_invalid("clip.has_vision_encoder", "true");
    require_gelu(file, "instructblip.vision.hidden_act");

    VisionConfig config{};
    config.image_size = file.require_integer("clip.vision.image_size", 1, largest_image);
    config.patch_size = file.require_integer("clip.vision.patch_size", 1, config.image_size);
    if (config.token_count() > most_picture_tokens) {
        throw_unsupported(file, "a picture would be " + std::to_string(config.token_count()) + " tokens, more than " +
                                    std::to_string(most_picture_tokens));
    }
    config.hidden_size = file.require_integer("clip.vision.embedding_length", 1, limits::hidden);
    config.intermediate_size = file.require_integer("clip.vision.feed_forward_length", 1, limits::intermediate);
    config.num_hidden_layers = file.require_integer("clip.vision.block_count", 1, limits::layers);
    config.num_attention_heads = read_heads(file, "clip.vision.attention.head_count", config.hidden_size);
    config.layer_norm_eps = require_epsilon(file, "clip.vision.attention.layer_norm_epsilon");
    config.post_layernorm_eps = require_epsilon(file, "instructblip.vision.post_layernorm_epsilon");
    config.projection_size = file.require_integer("clip.vision.projection_dim", 1, limits::hidden);
    limit_scores(file, "the vision encoder", config.num_attention_heads, config.token_count(), config.token_count());
    return config;
}

QFormerConfig QFormerConfig::read(const GgufFile& file, const VisionConfig& vision) {
    const std::string prefix = "instructblip.qformer.";
    require_gelu(file, prefix + "hidden_act");
    QFormerConfig config{};
    config.hidden_size = file.require_integer(prefix + "embedding_length", 1, limits::hidden);
    config.intermediate_size = file.require_integer(prefix + "feed_forward_length", 1, limits::intermediate);
    config.num_hidden_layers = file.require_integer(prefix + "block_count", 1, limits::layers);
    config.num_attention_heads = read_heads(file, prefix + "attention.head_count", config.hidden_size);
    config.layer_norm_eps = require_epsilon(file, prefix + "attention.layer_norm_epsilon");
    config.cross_attention_frequency = file.require_integer(prefix + "cross_attention_frequency", 1, limits::layers);
    config.max_position_embeddings = file.require_integer(prefix + "context_length", 1, most_positions);
    config.vocab_size = file.require_integer(prefix + "vocab_size", 1, limits::vocabulary);
    config.num_query_tokens = file.require_integer("instructblip.query_count", 1, most_queries);
    config.text_input = file.require_bool(prefix + "text_input");
    const std::string last = "v.proj_blk." + std::to_string(config.num_hidden_layers - 1);
    config.last_text = config.text_input && file.find_tensor(last + ".ffn_text_up.weight") != nullptr;
    config.encoder_hidden_size = vision.hidden_size;
    config.encoder_tokens = vision.token_count();
    config.projection_size = vision.projection_size;
    const int64_t rows = config.num_query_tokens + (config.text_input ? config.max_position_embeddings : 0);
    limit_scores(file, "the Q-Former", config.num_attention_heads, rows, std::max(rows, config.encoder_tokens));
    return config;
}

ProcessorFacts ProcessorFacts::read(const GgufFile& file, const VisionConfig& vision, const QFormerConfig& qformer) {
    ProcessorFacts facts{};
    facts.image_mean = read_channels(file, "clip.vision.image_mean");
    facts.image_std = read_channels(file, "clip.vision.image_std");
    for (const double deviation : facts.image_std) {
        if (!(deviation > 0)) file.throw_key_invalid("clip.vision.image_std", "an array of positive numbers");
    }
    facts.rescale_factor = file.require_number("instructblip.image.rescale_factor");
    if (!(facts.rescale_factor > 0)) file.throw_key_invalid("instructblip.image.rescale_factor", "a positive number");
    const int64_t filter = file.require_integer("instructblip.image.resample", 0, 5);  // Pillow's number
    if (filter != bicubic) {
        throw_unsupported(file, "its pictures are resized with Pillow's filter " + std::to_string(filter) +
                                    "; only 3, bicubic, is implemented");
    }
    // Any other size fails in HF too: there are no positions for its patches.
    for (const char* const key : {"instructblip.image.height", "instructblip.image.width"}) {
        file.require_integer(key, vision.image_size, vision.image_size);
    }
    read_tokenizer(file, qformer, facts);
    return facts;
}

TextFacts TextFacts::read(const GgufFile& file) {
    const std::string prefix = "instructblip.text.";
    const auto read_id = [&](const std::string& key) {
        return static_cast<int32_t>(file.require_integer(key, -1, largest_id));
    };
    // Of a key that files of the first version lack.
    const auto read_optional_id = [&](const std::string& key) { return file.find(key) == nullptr ? -1 : read_id(key); };
    TextFacts facts{};
    facts.name = file.require_string("general.name");
    facts.model_type = file.require_string(prefix + "model_type");
    const std::string architecture_key = prefix + "architecture";
    if (file.find(architecture_key) != nullptr) facts.architecture = file.require_string(architecture_key);
    facts.vocab_size = file.require_integer(prefix + "vocab_size", 1, limits::vocabulary);
    facts.prompt_bos_token_id = read_id(prefix + "prompt_bos_token_id");
    facts.prompt_eos_token_id = read_optional_id(prefix + "prompt_eos_token_id");
    facts.decoder_start_token_id = read_optional_id(prefix + "decoder_start_token_id");
    const std::string clean_up_key = prefix + "clean_up_tokenization_spaces";
    facts.clean_up_tokenization_spaces = file.find(clean_up_key) != nullptr && file.require_bool(clean_up_key);
    facts.bos_token_id = read_id(prefix + "bos_token_id");
    facts.pad_token_id = read_id(prefix + "pad_token_id");
    for (const int64_t id : file.require_integers(prefix + "eos_token_ids", 0, largest_id)) {
        facts.eos_token_ids.push_back(static_cast<int32_t>(id));
    }
    facts.image_token_id = read_id("instructblip.image_token_id");
    return facts;
}

}  // namespace instructblip
