// Loads a tiny model's stages as the composition does, on the engine that the tests were built with.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "compute.h"
#include "config.h"
#include "engine.h"
#include "gguf-file.h"
#include "gguf-writer.h"
#include "qformer.h"
#include "tiny-model.h"
#include "vision-encoder.h"

namespace stages {

using namespace instructblip;

inline void start_engine() {
    initialize_engine(INSTRUCTBLIP_ENGINE_DIRECTORY, {});
}

struct Loaded {
    std::shared_ptr<const GgufFile> file;
    VisionConfig vision_config;
    QFormerConfig qformer_config;
    std::unique_ptr<VisionEncoder> vision;
    std::unique_ptr<QFormer> qformer;

    Loaded(const std::string& path, Compute& compute, const LoadMonitor& monitor = {})
        : file(GgufFile::open(path)),
          vision_config(VisionConfig::read(*file)),
          qformer_config(QFormerConfig::read(*file, vision_config)) {
        ProcessorFacts::read(*file, vision_config, qformer_config);
        TextFacts::read(*file);
        VisionEncoder::check(*file, vision_config);
        QFormer::check(*file, qformer_config);
        vision = std::make_unique<VisionEncoder>(file, vision_config, compute, monitor);
        qformer = std::make_unique<QFormer>(file, qformer_config, compute, monitor);
    }

    std::vector<float> encode(const std::vector<float>& pixels, Trace* trace = nullptr,
                              const CancelToken& cancel = {}) {
        const int64_t batch = static_cast<int64_t>(pixels.size()) / vision_config.pixel_count();
        std::vector<float> features(static_cast<size_t>(batch * vision_config.feature_count()));
        vision->encode(pixels.data(), batch, features.data(), cancel, trace);
        return features;
    }
    std::vector<float> query(const std::vector<float>& features, const std::vector<int32_t>& ids,
                             Trace* trace = nullptr, const CancelToken& cancel = {}) {
        std::vector<float> soft_tokens(static_cast<size_t>(qformer_config.soft_token_count()));
        qformer->run(features.data(), ids, soft_tokens.data(), cancel, trace);
        return soft_tokens;
    }
    std::vector<float> random_pixels(unsigned seed = 7, int64_t batch = 1) const {
        return tiny::random_values(static_cast<size_t>(batch * vision_config.pixel_count()), seed);
    }
};

}  // namespace stages
