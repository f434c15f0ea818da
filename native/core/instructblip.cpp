#include "instructblip.h"

#include <algorithm>
#include <cstdlib>

#include "engine.h"
#include "error.h"

namespace instructblip {

// Both files open, and what they say.
struct InstructBlip::Files {
    explicit Files(const ModelPaths& paths)
        : vision(GgufFile::open(paths.vision)),
          language_model(paths.language_model.empty() ? nullptr : GgufFile::open(paths.language_model)) {}

    std::shared_ptr<const GgufFile> vision;
    std::shared_ptr<const GgufFile> language_model;  // nullptr: none
    ModelFacts facts = read();

  private:
    ModelFacts read() const;
    void check_pair(const ModelFacts& facts, const LanguageModelFile& found) const;
};

namespace {

// Rows that InstructBLIP's processors added to Vicuna's 32,000: [PAD], <image>, and up to the next multiple of 64. A
// Vicuna without them, or with those of the other revision, is the same model.
constexpr int64_t most_added_rows = 64;

LoadMonitor monitor_of(const char* stage, const LoadProgress& progress, const CancelToken& cancel) {
    LoadMonitor monitor;
    monitor.cancel = &cancel;
    if (progress) {
        monitor.on_bytes = [stage, &progress](uint64_t loaded, uint64_t total) { progress(stage, loaded, total); };
    }
    return monitor;
}

void require_size(const char* what, size_t size, int64_t unit) {
    if (size > 0 && size % static_cast<size_t>(unit) == 0) return;
    throw ModelError("OPTION_INVALID", std::string(what) + " must be a multiple of " + std::to_string(unit) +
                                           " values, not " + std::to_string(size));
}

}  // namespace

ModelFacts InstructBlip::Files::read() const {
    const VisionConfig vision_config = VisionConfig::read(*vision);
    const QFormerConfig qformer_config = QFormerConfig::read(*vision, vision_config);
    ModelFacts facts{vision_config,
                     qformer_config,
                     ProcessorFacts::read(*vision, vision_config, qformer_config),
                     TextFacts::read(*vision),
                     {}};
    if (language_model) facts.language_model = LanguageModelFile::read(language_model);
    VisionEncoder::check(*vision, facts.vision);
    QFormer::check(*vision, facts.qformer);
    if (facts.language_model) check_pair(facts, *facts.language_model);
    return facts;
}

void InstructBlip::Files::check_pair(const ModelFacts& facts, const LanguageModelFile& found) const {
    const TextFacts& text = facts.text;
    const auto mismatch = [&](const std::string& ours, const std::string& theirs) {
        throw ModelError("MODEL_PAIR_MISMATCH",
                         vision->path() + " was made for a language model " + ours + ", but " + language_model->path() +
                             " is one " + theirs +
                             ": use the two files of one conversion, or the language model of the same kind and size");
    };
    if (text.model_type != found.model_type) {
        mismatch("of type '" + text.model_type + "'", "of type '" + found.model_type + "'");
    }
    if (facts.vision.projection_size != found.embedding_length) {
        mismatch("of hidden size " + std::to_string(facts.vision.projection_size),
                 "of hidden size " + std::to_string(found.embedding_length));
    }
    const auto with_tokens = [](int64_t count) { return "with " + std::to_string(count) + " tokens"; };
    if (std::abs(text.vocab_size - found.vocabulary_size) > most_added_rows) {
        mismatch(with_tokens(text.vocab_size), with_tokens(found.vocabulary_size));
    }
    std::vector<int32_t> used = text.eos_token_ids;
    used.insert(used.end(), {text.prompt_bos_token_id, text.prompt_eos_token_id, text.decoder_start_token_id});
    const int32_t largest = *std::max_element(used.begin(), used.end());
    if (largest >= found.vocabulary_size) {
        mismatch("with token " + std::to_string(largest), with_tokens(found.vocabulary_size));
    }
    const bool encodes = found.model_type == "t5";
    if (encodes != (text.decoder_start_token_id >= 0)) {
        vision->throw_key_invalid("instructblip.text.decoder_start_token_id",
                                  encodes ? "a token: " + language_model->path() + " is an encoder-decoder"
                                          : "-1: " + language_model->path() + " is no encoder-decoder");
    }
}

ModelFacts InstructBlip::check(const ModelPaths& paths) {
    return Files(paths).facts;
}

InstructBlip::InstructBlip(const ModelPaths& paths, const ModelOptions& options, const LoadProgress& progress,
                           const CancelToken& cancel)
    : InstructBlip(Files(paths), options, progress, cancel) {}

InstructBlip::InstructBlip(const Files& files, const ModelOptions& options, const LoadProgress& progress,
                           const CancelToken& cancel)
    : facts_(files.facts), compute_((require_engine(), options.device), options.threads) {
    if (options.stages.vision_encoder) {
        vision_encoder_ = std::make_unique<VisionEncoder>(files.vision, facts_.vision, compute_,
                                                          monitor_of("vision encoder", progress, cancel));
    }
    if (options.stages.qformer) {
        qformer_ =
            std::make_unique<QFormer>(files.vision, facts_.qformer, compute_, monitor_of("Q-Former", progress, cancel));
    }
    if (facts_.language_model) {
        language_model_ = facts_.language_model->load(compute_, options.language_model,
                                                      monitor_of("language model", progress, cancel));
    }
}

void InstructBlip::throw_not_loaded(const char* name) {
    throw ModelError("OPTION_INVALID", std::string("the ") + name + " is not loaded");
}

std::vector<float> InstructBlip::encode_image(const std::vector<float>& pixels, const CancelToken& cancel) {
    require_size("pixels", pixels.size(), facts_.vision.pixel_count());
    const auto batch = static_cast<int64_t>(pixels.size()) / facts_.vision.pixel_count();
    std::vector<float> features(static_cast<size_t>(batch * facts_.vision.feature_count()));
    loaded(vision_encoder_, "vision encoder").encode(pixels.data(), batch, features.data(), cancel);
    return features;
}

std::vector<float> InstructBlip::query_image(const std::vector<float>& features, const std::vector<int32_t>& ids,
                                             const CancelToken& cancel) {
    if (static_cast<int64_t>(features.size()) != facts_.vision.feature_count()) {
        throw ModelError("OPTION_INVALID", "features must be " + std::to_string(facts_.vision.feature_count()) +
                                               " values, not " + std::to_string(features.size()));
    }
    std::vector<float> soft_tokens(static_cast<size_t>(facts_.qformer.soft_token_count()));
    loaded(qformer_, "Q-Former").run(features.data(), ids, soft_tokens.data(), cancel);
    return soft_tokens;
}

void InstructBlip::run_vision(const std::vector<float>& pixels, const GridSize& size, const CancelToken& cancel,
                              Trace& trace) {
    const int64_t count = 3 * size.height * size.width;
    if (static_cast<int64_t>(pixels.size()) != count) {
        throw ModelError("OPTION_INVALID",
                         "pixels must be " + std::to_string(count) + " values, not " + std::to_string(pixels.size()));
    }
    loaded(vision_encoder_, "vision encoder").encode_sized(pixels.data(), size, cancel, &trace);
    trace.require_complete();
}

void InstructBlip::run_qformer(const QFormerInput& input, const CancelToken& cancel, Trace& trace) {
    loaded(qformer_, "Q-Former").run_whole(input, cancel, trace);
    trace.require_complete();
}

void InstructBlip::run_language(const ForwardInput& input, const CancelToken& cancel, Trace& trace) {
    language_model().forward(input, cancel, trace);
    trace.require_complete();
}

}  // namespace instructblip
