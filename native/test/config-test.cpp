// What the mmproj's keys may say: read as written, each bad value refused by name.
#include "config.h"

#include <cmath>

#include "check.h"
#include "gguf-writer.h"
#include "tiny-model.h"

using namespace instructblip;
using namespace gguf_writer;

namespace {

void read_all(const File& file) {
    const TemporaryFile written(file.bytes());
    const auto opened = GgufFile::open(written.path());
    const VisionConfig vision = VisionConfig::read(*opened);
    const QFormerConfig qformer = QFormerConfig::read(*opened, vision);
    ProcessorFacts::read(*opened, vision, qformer);
    TextFacts::read(*opened);
}

// The tiny file with one entry replaced.
void read_with(const Entry& entry) {
    File file = tiny::make({}, 1).file;
    file.entry(entry.key) = entry;
    read_all(file);
}

void test_values() {
    const TemporaryFile written(tiny::make({}, 1).file.bytes());
    const auto file = GgufFile::open(written.path());
    const VisionConfig vision = VisionConfig::read(*file);
    CHECK(vision.image_size == 14 && vision.patch_size == 7 && vision.hidden_size == 16);
    CHECK(vision.intermediate_size == 24 && vision.num_hidden_layers == 2 && vision.num_attention_heads == 2);
    CHECK(vision.layer_norm_eps == 0.01F && vision.post_layernorm_eps == 0.3F && vision.projection_size == 10);
    CHECK(vision.head_size() == 8 && vision.token_count() == 5 && vision.patch_values() == 147);
    CHECK(vision.pixel_count() == 588 && vision.feature_count() == 80);
    const QFormerConfig qformer = QFormerConfig::read(*file, vision);
    CHECK(qformer.hidden_size == 16 && qformer.intermediate_size == 20 && qformer.num_hidden_layers == 2);
    CHECK(qformer.num_attention_heads == 2 && qformer.layer_norm_eps == 1e-12F && qformer.text_input);
    CHECK(qformer.cross_attention_frequency == 2 && qformer.max_position_embeddings == 9 && qformer.vocab_size == 13);
    CHECK(qformer.num_query_tokens == 4 && qformer.encoder_hidden_size == 16 && qformer.encoder_tokens == 5);
    CHECK(qformer.soft_token_count() == 40 && qformer.has_cross_attention(0) && !qformer.has_cross_attention(1));
    const ProcessorFacts processor = ProcessorFacts::read(*file, vision, qformer);
    CHECK(processor.image_mean[2] == 0.125 && processor.image_std[1] == 0.75 && processor.rescale_factor == 1.0 / 255);
    CHECK(processor.tokens.size() == 8 && processor.tokens[5] == "##s" && processor.cls_token_id == 2);
    CHECK(processor.sep_token_id == 3 && processor.pad_token_id == 0 && processor.unk_token_id == 1);
    CHECK(processor.lowercase && processor.strip_accents && processor.tokenize_chinese_chars);
    CHECK(processor.special_tokens == std::vector<int32_t>({0, 1, 2, 3}));
    const TextFacts text = TextFacts::read(*file);
    CHECK(text.name == "tiny" && text.model_type == "llama" && text.vocab_size == 32 && text.prompt_bos_token_id == 2);
    CHECK(text.bos_token_id == 0 && text.pad_token_id == -1 && text.image_token_id == -1);
    CHECK(text.eos_token_ids == std::vector<int32_t>({1}));
}

void test_integers() {
    const auto refuse = [](const std::string& key, uint32_t value) {
        CHECK_ERROR("MODEL_FILE_KEY_INVALID", "'" + key + "'", read_with(u32(key, value)));
    };
    for (const char* const key :
         {"clip.vision.image_size", "clip.vision.patch_size", "clip.vision.embedding_length",
          "clip.vision.feed_forward_length", "clip.vision.block_count", "clip.vision.attention.head_count",
          "clip.vision.projection_dim", "instructblip.qformer.embedding_length",
          "instructblip.qformer.feed_forward_length", "instructblip.qformer.block_count",
          "instructblip.qformer.attention.head_count", "instructblip.qformer.cross_attention_frequency",
          "instructblip.qformer.context_length", "instructblip.qformer.vocab_size", "instructblip.query_count",
          "instructblip.text.vocab_size"}) {
        refuse(key, 0);
        refuse(key, 0xFFFFFFFFU);
    }
    refuse("clip.vision.patch_size", 15);           // larger than the picture
    refuse("clip.vision.attention.head_count", 3);  // does not divide 16
    refuse("instructblip.qformer.attention.head_count", 5);
    refuse("instructblip.image.height", 15);  // no positions for another size
    refuse("instructblip.image.width", 7);
    refuse("instructblip.image.resample", 6);
    // A filter of Pillow that pictures are not resized with here.
    CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "bicubic", read_with(u32("instructblip.image.resample", 2)));
    for (const char* const which : {"cls", "sep", "pad", "unk"}) {
        refuse(std::string("instructblip.qformer.tokenizer.") + which + "_token_id", 8);
    }
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "bos_token_id", read_with(i32("instructblip.text.bos_token_id", -2)));
}

void test_numbers() {
    for (const char* const key :
         {"clip.vision.attention.layer_norm_epsilon", "instructblip.vision.post_layernorm_epsilon",
          "instructblip.qformer.attention.layer_norm_epsilon"}) {
        for (const float bad : {0.0F, -1e-6F, 2.0F, std::nanf(""), INFINITY}) {
            CHECK_ERROR("MODEL_FILE_KEY_INVALID", std::string("'") + key + "'", read_with(f32(key, bad)));
        }
        // Too small for an f32: the layer norm would divide by zero.
        CHECK_ERROR("MODEL_FILE_KEY_INVALID", std::string("'") + key + "'", read_with(f64(key, 1e-60)));
    }
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "rescale_factor", read_with(f64("instructblip.image.rescale_factor", 0)));
    for (const char* const key : {"clip.vision.image_mean", "clip.vision.image_std"}) {
        CHECK_ERROR("MODEL_FILE_KEY_INVALID", "3 numbers", read_with(array<float>(key, GgufType::f32, {1, 1})));
        CHECK_ERROR("MODEL_FILE_KEY_INVALID", key, read_with(array<float>(key, GgufType::f32, {1, 1, INFINITY})));
    }
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "positive",
                read_with(array<float>("clip.vision.image_std", GgufType::f32, {1, 0, 1})));
}

void test_lists() {
    const std::string prefix = "instructblip.qformer.tokenizer.";
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "1..13",
                read_with(array<std::string>(prefix + "tokens", GgufType::string, std::vector<std::string>(14, "a"))));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "1..13",
                read_with(array<std::string>(prefix + "tokens", GgufType::string, {})));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "special_tokens",
                read_with(array<int32_t>(prefix + "special_tokens", GgufType::i32, {0, 8})));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "special_tokens",
                read_with(array<int32_t>(prefix + "special_tokens", GgufType::i32, {-1})));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "eos_token_ids",
                read_with(array<int32_t>("instructblip.text.eos_token_ids", GgufType::i32, {-1})));
}

void test_unsupported() {
    const auto refuse = [](const Entry& entry) {
        CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "not supported", read_with(entry));
    };
    refuse(string("general.architecture", "llama"));
    refuse(string("clip.projector_type", "mlp"));
    refuse(string("instructblip.vision.hidden_act", "gelu_new"));
    refuse(string("instructblip.qformer.hidden_act", "relu"));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "true", read_with(boolean("clip.has_vision_encoder", false)));

    File tokens = tiny::make({}, 1).file;  // 2048 * 2048 patches
    tokens.entry("clip.vision.image_size") = u32("clip.vision.image_size", 4096);
    tokens.entry("clip.vision.patch_size") = u32("clip.vision.patch_size", 2);
    CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "tokens", read_all(tokens));
    File scores = tiny::make({}, 1).file;  // 16 heads * 10001² scores
    scores.entry("clip.vision.image_size") = u32("clip.vision.image_size", 200);
    scores.entry("clip.vision.patch_size") = u32("clip.vision.patch_size", 2);
    scores.entry("clip.vision.attention.head_count") = u32("clip.vision.attention.head_count", 16);
    CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "vision encoder", read_all(scores));
    File positions = tiny::make({}, 1).file;
    positions.entry("instructblip.qformer.context_length") = u32("instructblip.qformer.context_length", 16384);
    positions.entry("instructblip.qformer.attention.head_count") = u32("instructblip.qformer.attention.head_count", 16);
    CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "Q-Former", read_all(positions));
}

}  // namespace

int main() {
    test_values();
    test_integers();
    test_numbers();
    test_lists();
    test_unsupported();
    return check::report();
}
