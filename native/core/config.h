// What the mmproj file says about the model: read from its keys (docs/gguf.md), validated, not changed afterwards.
// Names of fields follow Hugging Face. Every read() throws MODEL_FILE_KEY_MISSING, MODEL_FILE_KEY_INVALID or
// MODEL_FILE_UNSUPPORTED.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "gguf-file.h"

namespace instructblip {

struct VisionConfig {
    int64_t image_size;  // pixels, square
    int64_t patch_size;
    int64_t hidden_size;
    int64_t intermediate_size;
    int64_t num_hidden_layers;
    int64_t num_attention_heads;
    float layer_norm_eps;      // of the blocks
    float post_layernorm_eps;  // of the last norm
    int64_t projection_size;   // hidden size of the language model

    int64_t head_size() const { return hidden_size / num_attention_heads; }
    int64_t grid_size() const { return image_size / patch_size; }
    int64_t patch_count() const { return grid_size() * grid_size(); }
    int64_t token_count() const { return patch_count() + 1; }              // rows of the output: class token + patches
    int64_t patch_values() const { return 3 * patch_size * patch_size; }   // values of one patch
    int64_t pixel_count() const { return 3 * image_size * image_size; }    // values of one picture
    int64_t feature_count() const { return token_count() * hidden_size; }  // values of one picture's features

    // Of any picture: attention scores are held as a whole.
    int64_t most_tokens() const;

    static VisionConfig read(const GgufFile& file);
};

struct QFormerConfig {
    int64_t hidden_size;
    int64_t intermediate_size;
    int64_t num_hidden_layers;
    int64_t num_attention_heads;
    float layer_norm_eps;
    int64_t cross_attention_frequency;
    int64_t max_position_embeddings;
    int64_t vocab_size;
    int64_t num_query_tokens;
    bool text_input;              // false: queries only, as in BLIP-2
    bool last_text;               // the text's half of the last layer is in the file; generating needs it not
    int64_t encoder_hidden_size;  // the vision encoder's
    int64_t encoder_tokens;
    int64_t projection_size;  // hidden size of the language model

    int64_t head_size() const { return hidden_size / num_attention_heads; }
    bool has_cross_attention(int64_t layer) const { return layer % cross_attention_frequency == 0; }
    int64_t soft_token_count() const { return num_query_tokens * projection_size; }

    static QFormerConfig read(const GgufFile& file, const VisionConfig& vision);
};

// How pictures and instructions become the model's input.
struct ProcessorFacts {
    std::array<double, 3> image_mean;
    std::array<double, 3> image_std;
    double rescale_factor;

    // The Q-Former's WordPiece vocabulary, by id.
    std::vector<std::string> tokens;
    int64_t cls_token_id;
    int64_t sep_token_id;
    int64_t pad_token_id;
    int64_t unk_token_id;
    bool lowercase;
    bool strip_accents;
    bool tokenize_chinese_chars;
    std::vector<int32_t> special_tokens;  // ids that are matched in text

    static ProcessorFacts read(const GgufFile& file, const VisionConfig& vision, const QFormerConfig& qformer);
};

// What the mmproj file says about its language model. -1 = none.
struct TextFacts {
    std::string name;          // general.name
    std::string model_type;    // `llama`, `t5`, `opt`
    std::string architecture;  // HF's class of it; may be empty
    int64_t vocab_size;
    int32_t prompt_bos_token_id;     // in front of a prompt
    int32_t prompt_eos_token_id;     // behind it
    int32_t decoder_start_token_id;  // of an encoder-decoder
    bool clean_up_tokenization_spaces;
    int32_t bos_token_id;
    int32_t pad_token_id;
    std::vector<int32_t> eos_token_ids;
    int32_t image_token_id;

    static TextFacts read(const GgufFile& file);
};

}  // namespace instructblip
