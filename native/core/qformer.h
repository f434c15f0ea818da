// The Q-Former (HF's InstructBlipQFormerModel) and the projection behind it: features and instruction → soft tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cancel-token.h"
#include "compute.h"
#include "config.h"
#include "gguf-file.h"
#include "layers.h"
#include "projection.h"
#include "trace.h"
#include "weights.h"

namespace instructblip {

// What a run reads, beyond the query tokens. Shapes are in PyTorch order; masks are of 0 (not to be seen) and 1.
struct QFormerInput {
    std::vector<float> features;                // [M,encoder_hidden_size]
    std::vector<int32_t> ids;                   // [T]; empty = queries only
    std::vector<int32_t> mask;                  // [Q+T]; empty = all 1
    std::vector<int32_t> feature_mask;          // [M]; empty = all 1
    std::optional<std::vector<float>> queries;  // [Q,hidden_size] instead of the model's; empty = text only
};

class QFormer {
  public:
    // Throws MODEL_FILE_TENSOR_*, MODEL_FILE_UNSUPPORTED, OUT_OF_MEMORY, ABORTED. `compute` must outlive the Q-Former.
    QFormer(const std::shared_ptr<const GgufFile>& file, const QFormerConfig& config, Compute& compute,
            const LoadMonitor& monitor = {});

    // Checks the file's tensors (names, shapes, types) without loading them.
    static void check(const GgufFile& file, const QFormerConfig& config);

    const QFormerConfig& config() const { return config_; }

    // features [encoder_tokens,encoder_hidden_size], ids [T] → soft tokens [num_query_tokens,projection_size].
    // Throws OPTION_INVALID for an id outside the vocabulary, CONTEXT_LENGTH_EXCEEDED for more ids than positions,
    // ABORTED, OUT_OF_MEMORY, DEVICE_FAILED.
    void run(const float* features, const std::vector<int32_t>& ids, float* soft_tokens, const CancelToken& cancel,
             Trace* trace = nullptr);

    // The whole of HF's forward, for what `trace` wants: all rows of the last layer too, as qformer.output
    // [Q+T,hidden], and projection.output [Q,projection_size]. Throws as run(), and OPTION_INVALID for sizes that do
    // not fit, OPTION_UNSUPPORTED where a file of another maker leaves the last layer's text out.
    void run_whole(const QFormerInput& input, const CancelToken& cancel, Trace& trace);

  private:
    // What one run computes; see QFormerInput.
    struct Run {
        const float* features;
        int64_t feature_count;
        const std::vector<int32_t>& ids;
        const float* queries;  // nullptr = the model's own
        int64_t query_count;
        std::vector<int32_t> mask;
        std::vector<int32_t> feature_mask;
        bool whole;  // the text's rows of the last layer as well
    };
    // A picture's inputs of a graph; nullptr where it has none.
    struct Picture {
        ggml_tensor* features;
        ggml_tensor* mask;
    };
    struct Attention {
        Linear query;
        Linear key;
        Linear value;
        Linear out;
        LayerNorm norm;
    };
    struct FeedForwardNorm {
        FeedForward feed_forward;
        LayerNorm norm;
    };
    struct Block {
        Attention self_attention;
        std::optional<Attention> cross_attention;
        FeedForwardNorm query_feed_forward;
        std::optional<FeedForwardNorm> text_feed_forward;
    };
    // Shape of the tensors in PyTorch order.
    struct Model {
        ggml_tensor* queries;    // [Q,D]
        ggml_tensor* tokens;     // [V,D]; nullptr without text
        ggml_tensor* positions;  // [C,D]; nullptr without text
        LayerNorm norm;
        std::vector<Block> blocks;
        Projection projection;
    };
    // Keys and values of one layer's cross-attention: they depend on the picture alone.
    struct ImageKeysValues {
        ggml_tensor* keys;
        ggml_tensor* values;
    };
    static Model declare(WeightSink& sink, const QFormerConfig& config);
    static Attention declare_attention(WeightSink& sink, const QFormerConfig& config, const std::string& name,
                                       int64_t key_size);
    static FeedForwardNorm declare_feed_forward(WeightSink& sink, const QFormerConfig& config, const std::string& name);

    void check_ids(const std::vector<int32_t>& ids) const;
    bool needs_features(int64_t first, int64_t end) const;
    void compute(const Run& run, float* soft_tokens, const CancelToken& cancel, Trace* trace);
    ggml_tensor* build_embeddings(Graph& graph, const Run& run) const;
    ggml_tensor* build_self_attention(Graph& graph, const Run& run, ggml_tensor* x, ggml_tensor* mask,
                                      int64_t layer) const;
    static ImageKeysValues build_image_keys_values(Graph& graph, const Attention& attention, ggml_tensor* features,
                                                   int64_t layer);
    ggml_tensor* build_cross_attention(Graph& graph, const Attention& attention, ggml_tensor* queries,
                                       const ImageKeysValues& image, ggml_tensor* mask, int64_t layer) const;
    ggml_tensor* build_queries(Graph& graph, ggml_tensor* queries, const Picture& picture, int64_t layer) const;
    static ggml_tensor* build_feed_forward(Graph& graph, const FeedForwardNorm& layers, ggml_tensor* x,
                                           const std::string& step, int64_t layer);
    ggml_tensor* build_block(Graph& graph, const Run& run, ggml_tensor* x, ggml_tensor* mask, const Picture& picture,
                             int64_t layer) const;
    void build_soft_tokens(Graph& graph, ggml_tensor* queries, float* soft_tokens) const;

    QFormerConfig config_;
    Compute& compute_;
    Weights weights_;
    Model model_;
    std::vector<float> hidden_;  // between graphs: [Q+T,D]
};

}  // namespace instructblip
