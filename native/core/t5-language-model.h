// Flan-T5 (HF's T5ForConditionalGeneration) as a graph of our own: the encoder runs once, and so do keys and values of
// the decoder's cross-attention. libllama's computes those at every token, and its GELU is another.
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
#include "relative-position.h"
#include "t5-config.h"
#include "weights.h"

namespace instructblip {

// The weights. Shapes in PyTorch order.
struct T5Weights {
    struct Attention {
        RmsNorm norm;  // before it
        Linear query;  // [inner,D]
        Linear key;
        Linear value;
        Linear out;  // [D,inner]
    };
    struct FeedForward {
        RmsNorm norm;                // before it
        std::optional<Linear> gate;  // [F,D]
        Linear up;                   // [F,D]
        Linear down;                 // [D,F]
    };
    struct Block {
        Attention self_attention;
        FeedForward feed_forward;
    };
    struct Stack {
        ggml_tensor* relative_bias;  // [buckets,heads]
        std::vector<Block> blocks;
        std::vector<Attention> cross_attentions;  // of the decoder: one for each block
        RmsNorm norm;                             // behind the last block
    };
    ggml_tensor* tokens;  // [V,D]
    Stack encoder;
    Stack decoder;
    Linear head;  // [V,D]

    static T5Weights declare(WeightSink& sink, const T5Config& config);
};

class T5Model : public DecoderModel {
  public:
    // Checks the file's tensors (names, shapes, types) without loading them. Throws MODEL_FILE_*.
    static void check(const GgufFile& file, const T5Config& config);

    // Throws MODEL_FILE_TENSOR_*, MODEL_FILE_UNSUPPORTED, OPTION_INVALID, OUT_OF_MEMORY, ABORTED. `compute` must
    // outlive the model.
    T5Model(const std::shared_ptr<const GgufFile>& file, const T5Config& config, Compute& compute,
            const LanguageModelOptions& options, const LoadMonitor& monitor);

    int64_t embedding_length() const override { return config_.d_model; }
    int64_t vocabulary_size() const override { return config_.vocab_size; }
    int64_t max_positions() const override { return 0; }
    bool has_encoder() const override { return true; }
    void encode(const Prompt& prompt, const std::vector<int32_t>& mask, KvCache& cache,
                const std::vector<int32_t>& cells, const CancelToken& cancel, Trace* trace) override;
    void decode(const DecoderRows& rows, KvCache& cache, const CancelToken& cancel, Trace* trace,
                std::vector<float>& logits) override;

  private:
    struct DecoderInputs;
    ggml_tensor* build_embeddings(Graph& graph, const std::vector<float>& soft_tokens,
                                  const std::vector<int32_t>& tokens) const;
    ggml_tensor* build_bias(Graph& graph, ggml_tensor* table, const std::vector<int32_t>& buckets, int64_t rows) const;
    ggml_tensor* split(Graph& graph, ggml_tensor* x) const;
    ggml_tensor* build_encoder_block(Graph& graph, const T5Weights::Block& block, ggml_tensor* x, ggml_tensor* bias,
                                     int64_t layer) const;
    void build_cross_cache(Graph& graph, ggml_tensor* encoded, KvCache& cache, ggml_tensor* cells) const;
    ggml_tensor* build_decoder_block(Graph& graph, const DecoderInputs& inputs, ggml_tensor* x, int64_t layer) const;
    ggml_tensor* build_feed_forward(Graph& graph, const T5Weights::FeedForward& layers, ggml_tensor* x,
                                    int64_t layer) const;
    ggml_tensor* build_head(Graph& graph, ggml_tensor* x) const;

    T5Config config_;
    Weights weights_;
    T5Weights model_;
    std::vector<float> hidden_;  // between graphs: [rows,D]
};

}  // namespace instructblip
