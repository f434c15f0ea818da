// A session of a model whose decoder is a graph of ours (T5, OPT): which rows a step computes, which cells of the
// session's cache they fill, and which they see. The graph itself is the model's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cache-shares.h"
#include "graph.h"
#include "kv-cache.h"
#include "language-model.h"
#include "sequence-table.h"

namespace instructblip {

// The mask of cells that rows do not see, as the graph's input: [R,count] of 0 and -infinity.
class HiddenCells {
  public:
    explicit HiddenCells(const VisibleCells& cells);

    // nullptr: every row sees every cell. This must live until the graph has run.
    ggml_tensor* build(Graph& graph, const std::string& name) const;

  private:
    std::vector<int64_t> shape_;
    std::vector<float> mask_;  // empty: nothing is hidden
};

// The last `count` rows of x [N,D].
ggml_tensor* last_rows(Graph& graph, ggml_tensor* x, int64_t count);

// The rows of one step. Shapes are in PyTorch order.
struct DecoderRows {
    std::vector<int32_t> tokens;     // [R]; or, instead,
    std::vector<float> soft_tokens;  // [R,embedding_length]
    std::vector<int32_t> positions;  // [R], of each row in its sequence
    std::vector<int32_t> cells;      // [R], that keys and values go to
    VisibleCells own;                // of the decoder's own tokens, those of this step among them
    VisibleCells encoder;            // of what an encoder read; count 0 without one
    int64_t outputs;                 // logits are wanted of the last `outputs` rows
};

// What a session needs of its model; shared by all sessions. Only the engine thread calls anything but shares().
class DecoderModel {
  public:
    DecoderModel(int32_t cells, int32_t sequences) : cells_(cells), shares_(cells, sequences) {}
    virtual ~DecoderModel() = default;

    int32_t cells() const { return cells_; }
    CacheShares& shares() { return shares_; }

    virtual int64_t embedding_length() const = 0;
    virtual int64_t vocabulary_size() const = 0;
    virtual int64_t max_positions() const = 0;  // 0 = any number
    virtual std::unique_ptr<KvCache> create_cache(int32_t cells) const = 0;

    // Whether the prompt goes to an encoder, and only the answer to the decoder.
    virtual bool has_encoder() const = 0;
    // Reads the prompt; keys and values for the decoder's cross-attention go to `cells`, one for each row.
    virtual void encode(const Prompt& prompt, KvCache& cache, const std::vector<int32_t>& cells,
                        const CancelToken& cancel, Trace* trace) = 0;
    // One step: logits [outputs,V].
    virtual void decode(const DecoderRows& rows, KvCache& cache, const CancelToken& cancel, Trace* trace,
                        std::vector<float>& logits) = 0;

  private:
    int32_t cells_;
    CacheShares shares_;
};

class DecoderSession : public LanguageModelSession {
  public:
    DecoderSession(std::shared_ptr<DecoderModel> model, int32_t cells, int32_t sequences);
    ~DecoderSession() override { release(); }
    DecoderSession(const DecoderSession&) = delete;
    DecoderSession& operator=(const DecoderSession&) = delete;

    void prefill(const Prompt& prompt, const CancelToken& cancel, std::vector<float>& logits,
                 Trace* trace = nullptr) override;
    void decode(const std::vector<int32_t>& tokens, const std::vector<int32_t>& parents, const CancelToken& cancel,
                std::vector<float>& logits) override;
    void release() override;

  private:
    // A row of a step: the sequence, and the position in it.
    struct Place {
        int32_t sequence;
        int32_t position;
    };
    void check_step(const std::vector<int32_t>& tokens) const;
    KvCache& cache();
    // Appends `count` rows to a sequence and computes them, in graphs of bounded size. One of the two inputs is null.
    void append(int32_t sequence, const float* soft_tokens, const int32_t* tokens, int32_t count,
                const CancelToken& cancel, Trace* trace, std::vector<float>& logits);
    DecoderRows rows_at(const SequenceTable& table, const std::vector<Place>& places) const;

    std::shared_ptr<DecoderModel> model_;
    CacheShares::Share share_;
    std::atomic<bool> released_{false};
    bool broken_ = false;  // by an error in a step: the cache may hold half of it
    SequenceTable table_;
    std::vector<std::vector<int32_t>> encoder_cells_;  // by the sequences' origin
    std::unique_ptr<KvCache> cache_;                   // made by the first step, on the engine thread
};

}  // namespace instructblip
