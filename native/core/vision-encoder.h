// The vision encoder (EVA-CLIP ViT-g in the published checkpoints; HF's InstructBlipVisionModel): pixels → features.
// Does not depend on the instruction: run once per picture.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bicubic.h"
#include "cancel-token.h"
#include "compute.h"
#include "config.h"
#include "gguf-file.h"
#include "layers.h"
#include "trace.h"
#include "weights.h"

namespace instructblip {

class VisionEncoder {
  public:
    // Throws MODEL_FILE_TENSOR_*, MODEL_FILE_UNSUPPORTED, OUT_OF_MEMORY, ABORTED. `compute` must outlive the encoder.
    VisionEncoder(const std::shared_ptr<const GgufFile>& file, const VisionConfig& config, Compute& compute,
                  const LoadMonitor& monitor = {});

    // Checks the file's tensors (names, shapes, types) without loading them.
    static void check(const GgufFile& file, const VisionConfig& config);

    const VisionConfig& config() const { return config_; }

    // pixels [batch,3,S,S] → features [batch,tokens,hidden]. Throws IMAGE_INPUT_INVALID for values that are not finite,
    // ABORTED, OUT_OF_MEMORY, DEVICE_FAILED. One call at a time. A trace takes a batch of one: vision.patches,
    // vision.embeddings, vision.layer-%d, vision.post_layernorm, vision.pooler_output [hidden] and the steps within
    // layers (layers.h).
    void encode(const float* pixels, int64_t batch, float* features, const CancelToken& cancel, Trace* trace = nullptr);

    // A picture of any size, pixels [3,height,width] → features [1 + its whole patches,hidden]: positions of another
    // grid than the model's are interpolated, as by transformers from 4.45 on. Throws as encode(), and OPTION_INVALID
    // for a size without a patch or with too many.
    std::vector<float> encode_sized(const float* pixels, const GridSize& size, const CancelToken& cancel, Trace* trace);

  private:
    struct Block {
        LayerNorm norm1;
        Linear qkv;  // q, k and v in one product
        Linear attention_out;
        LayerNorm norm2;
        FeedForward feed_forward;
    };
    // Shape of the tensors in PyTorch order.
    struct Model {
        ggml_tensor* class_embedding;     // [H]
        Linear patch_embedding;           // [H,3PP]
        ggml_tensor* position_embedding;  // [1+N,H]
        std::vector<Block> blocks;
        LayerNorm post_layernorm;
    };
    static Model declare(WeightSink& sink, const VisionConfig& config);

    GridSize own_size() const { return {config_.image_size, config_.image_size}; }
    GridSize grid_of(const GridSize& size) const;
    void check_size(const GridSize& size) const;
    std::vector<float> positions_of(const GridSize& grid) const;
    ggml_tensor* build_embeddings(Graph& graph, const float* patches, const GridSize& grid,
                                  const std::vector<float>& positions) const;
    ggml_tensor* build_block(Graph& graph, ggml_tensor* x, int64_t layer) const;
    ggml_tensor* build_end(Graph& graph, ggml_tensor* x) const;
    void encode_one(const float* pixels, const GridSize& size, float* features, const CancelToken& cancel,
                    Trace* trace);

    VisionConfig config_;
    Compute& compute_;
    Weights weights_;
    Model model_;
    std::vector<float> patches_;  // [N,3PP]
};

}  // namespace instructblip
