// A language model whose decoder is a graph of ours (T5, OPT): what its sessions ask it to compute.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cache-shares.h"
#include "cache-size.h"
#include "cancel-token.h"
#include "compute.h"
#include "graph.h"
#include "kv-cache.h"
#include "language-model.h"
#include "trace.h"

namespace instructblip {

// The last `count` rows of x [N,D].
ggml_tensor* last_rows(Graph& graph, ggml_tensor* x, int64_t count);

// [soft tokens][tokens] → [S+T,width]: the first as they are, in rows of `width`, the others looked up in `table`.
ggml_tensor* build_rows(Graph& graph, ggml_tensor* table, const std::vector<float>& soft_tokens,
                        const std::vector<int32_t>& tokens, int64_t width);

// The rows of one step. Shapes are in PyTorch order.
struct DecoderRows {
    std::vector<float>
        soft_tokens;              // [S,embedding_length], the first rows; only a decoder that reads the prompt has any
    std::vector<int32_t> tokens;  // [R-S], the others
    std::vector<int32_t> positions;  // [R], of each row in its sequence; -1 = it has none, being hidden from all
    std::vector<int32_t> cells;      // [R], that keys and values go to
    VisibleCells own;                // of the decoder's own tokens, those of this step among them
    VisibleCells encoder;            // of what an encoder read; count 0 without one
    int64_t outputs;                 // logits are wanted of the last `outputs` rows
};

// A model: weights, and graphs of the prompt and of one step. Shared by its sessions; only the engine thread calls
// anything but shares().
class DecoderModel {
  public:
    // Throws OPTION_INVALID, OUT_OF_MEMORY. `compute` must outlive the model. `cache_type`: where the options name
    // none.
    DecoderModel(Compute& compute, const CacheShape& cache, ggml_type cache_type, const LanguageModelOptions& options);
    virtual ~DecoderModel() = default;

    int32_t cells() const { return cells_; }
    CacheShares& shares() { return shares_; }
    // Throws OUT_OF_MEMORY.
    std::unique_ptr<KvCache> create_cache(int32_t cells) const { return create_cache(cells, cache_type_); }
    std::unique_ptr<KvCache> create_cache(int32_t cells, ggml_type type) const {
        return std::make_unique<KvCache>(compute_, cache_shape_, type, cells);
    }
    // Throws OUT_OF_MEMORY where attention of `rows` rows over as many cannot be had.
    void require_score_memory(int64_t rows) const;

    virtual int64_t embedding_length() const = 0;
    virtual int64_t vocabulary_size() const = 0;
    virtual int64_t max_positions() const = 0;  // 0 = any number

    // Whether the prompt goes to an encoder, and only the answer to the decoder.
    virtual bool has_encoder() const = 0;
    // Reads the prompt; keys and values for the decoder's cross-attention go to `cells`, one for each row. `mask` of
    // the rows: 0 = not to be seen; empty = all are.
    virtual void encode(const Prompt& prompt, const std::vector<int32_t>& mask, KvCache& cache,
                        const std::vector<int32_t>& cells, const CancelToken& cancel, Trace* trace) = 0;
    // One step: logits [outputs,V].
    virtual void decode(const DecoderRows& rows, KvCache& cache, const CancelToken& cancel, Trace* trace,
                        std::vector<float>& logits) = 0;

  protected:
    Compute& compute() const { return compute_; }

  private:
    Compute& compute_;
    CacheShape cache_shape_;
    ggml_type cache_type_;
    int32_t cells_;
    CacheShares shares_;
};

}  // namespace instructblip
