// OPT (HF's OPTForCausalLM) as a graph of our own; llama.cpp has none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compute.h"
#include "decoder-model.h"
#include "gguf-file.h"
#include "layers.h"
#include "opt-config.h"
#include "weights.h"

namespace instructblip {

// The weights. D = hidden size, W = size of a token's embedding. Shapes in PyTorch order.
struct OptWeights {
    struct Block {
        LayerNorm attention_norm;
        Linear query;  // [D,D]
        Linear key;
        Linear value;
        Linear out;
        LayerNorm feed_forward_norm;
        Linear up;    // [F,D]
        Linear down;  // [D,F]
    };
    ggml_tensor* tokens;                // [V,W]
    ggml_tensor* positions;             // [C+2,D]
    std::optional<Linear> project_in;   // [D,W]
    std::optional<Linear> project_out;  // [W,D]
    std::vector<Block> blocks;
    std::optional<LayerNorm> norm;
    Linear head;  // [V,W]

    static OptWeights declare(WeightSink& sink, const OptConfig& config);
};

class OptModel : public DecoderModel {
  public:
    // Checks the file's tensors (names, shapes, types) without loading them. Throws MODEL_FILE_*.
    static void check(const GgufFile& file, const OptConfig& config);

    // Throws MODEL_FILE_TENSOR_*, MODEL_FILE_UNSUPPORTED, OPTION_INVALID, OUT_OF_MEMORY, ABORTED. `compute` must
    // outlive the model.
    OptModel(const std::shared_ptr<const GgufFile>& file, const OptConfig& config, Compute& compute,
             const LanguageModelOptions& options, const LoadMonitor& monitor);

    int64_t embedding_length() const override { return config_.word_embed_proj_dim; }
    int64_t vocabulary_size() const override { return config_.vocab_size; }
    int64_t max_positions() const override { return config_.max_position_embeddings; }
    bool has_encoder() const override { return false; }
    void encode(const Prompt&, const std::vector<int32_t>&, KvCache&, const std::vector<int32_t>&, const CancelToken&,
                Trace*) override {}
    void decode(const DecoderRows& rows, KvCache& cache, const CancelToken& cancel, Trace* trace,
                std::vector<float>& logits) override;

  private:
    ggml_tensor* build_embeddings(Graph& graph, const DecoderRows& rows,
                                  const std::vector<int32_t>& position_rows) const;
    ggml_tensor* build_attention(Graph& graph, const OptWeights::Block& block, const DecoderRows& rows, KvCache& cache,
                                 ggml_tensor* cells, ggml_tensor* mask, ggml_tensor* x, int64_t layer) const;
    ggml_tensor* build_feed_forward(Graph& graph, const OptWeights::Block& block, ggml_tensor* x, int64_t layer) const;
    ggml_tensor* build_head(Graph& graph, ggml_tensor* x) const;

    OptConfig config_;
    Weights weights_;
    OptWeights model_;
    std::vector<float> hidden_;  // between graphs: [R,D]
};

}  // namespace instructblip
