// InstructBLIP, composed: READ THIS FILE FIRST. pixels ─▶ features ─▶ soft tokens ─▶ a session of the language model.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cancel-token.h"
#include "compute.h"
#include "config.h"
#include "gguf-file.h"
#include "language-model-file.h"
#include "language-model.h"
#include "qformer.h"
#include "trace.h"
#include "vision-encoder.h"

namespace instructblip {

struct ModelPaths {
    std::string vision;          // vision encoder, Q-Former and projection: mmproj-*.gguf
    std::string language_model;  // empty: none
};

// Which of them to load. The language model is loaded where there is a path to it.
struct ModelStages {
    bool vision_encoder = true;
    bool qformer = true;
};

struct ModelOptions {
    std::string device = "auto";
    int32_t threads = 0;  // 0 = physical cores available to this process
    LanguageModelOptions language_model;
    ModelStages stages;
};

// What both files say, read and checked; no weights are touched.
struct ModelFacts {
    VisionConfig vision;
    QFormerConfig qformer;
    ProcessorFacts processor;
    TextFacts text;
    std::optional<LanguageModelFile> language_model;
};

// Progress of a load: which stage, and bytes of its weights.
using LoadProgress = std::function<void(const char* stage, uint64_t loaded, uint64_t total)>;

class InstructBlip {
  public:
    // Throws MODEL_* for files that cannot run, DEVICE_*, OPTION_INVALID, OUT_OF_MEMORY, ABORTED.
    InstructBlip(const ModelPaths& paths, const ModelOptions& options, const LoadProgress& progress,
                 const CancelToken& cancel);

    // Checks that the pair can run, without loading weights. Throws MODEL_*.
    static ModelFacts check(const ModelPaths& paths);

    const ModelFacts& facts() const { return facts_; }
    std::string device_name() const { return compute_.device_name(); }

    // One call at a time, on the engine thread. Shapes in PyTorch order. A stage that was not loaded throws
    // OPTION_INVALID.

    // pixels [B,3,S,S] → features [B,tokens,hidden]
    std::vector<float> encode_image(const std::vector<float>& pixels, const CancelToken& cancel);
    // features [tokens,hidden], instruction ids [T] → soft tokens [queries,language hidden]
    std::vector<float> query_image(const std::vector<float>& features, const std::vector<int32_t>& ids,
                                   const CancelToken& cancel);

    // HF's forward of each stage, for what `trace` wants.
    // pixels [3,height,width], of any size
    void run_vision(const std::vector<float>& pixels, const GridSize& size, const CancelToken& cancel, Trace& trace);
    void run_qformer(const QFormerInput& input, const CancelToken& cancel, Trace& trace);
    void run_language(const ForwardInput& input, const CancelToken& cancel, Trace& trace);

    bool has_language_model() const { return language_model_ != nullptr; }
    // Its sessions are prefilled with soft tokens first, then with the prompt's ids.
    LanguageModel& language_model() { return loaded(language_model_, "language model"); }
    const LanguageModel& language_model() const { return loaded(language_model_, "language model"); }

  private:
    struct Files;
    InstructBlip(const Files& files, const ModelOptions& options, const LoadProgress& progress,
                 const CancelToken& cancel);

    template <class Stage>
    static Stage& loaded(const std::unique_ptr<Stage>& stage, const char* name) {
        if (!stage) throw_not_loaded(name);
        return *stage;
    }
    [[noreturn]] static void throw_not_loaded(const char* name);

    ModelFacts facts_;
    Compute compute_;
    std::unique_ptr<VisionEncoder> vision_encoder_;
    std::unique_ptr<QFormer> qformer_;
    std::unique_ptr<LanguageModel> language_model_;
};

}  // namespace instructblip
