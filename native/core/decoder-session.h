// A session of a model whose decoder is a graph of ours (T5, OPT): which rows a step computes, which cells of the
// session's cache they fill, and which they see. The graph itself is the model's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "cache-shares.h"
#include "decoder-forward.h"
#include "decoder-model.h"
#include "kv-cache.h"
#include "language-model.h"
#include "sequence-table.h"

namespace instructblip {

class DecoderSession : public LanguageModelSession {
  public:
    DecoderSession(std::shared_ptr<DecoderModel> model, int32_t cells, int32_t sequences);
    ~DecoderSession() override { release(); }
    DecoderSession(const DecoderSession&) = delete;
    DecoderSession& operator=(const DecoderSession&) = delete;

    void prefill(const Prompt& prompt, const CancelToken& cancel, std::vector<float>& logits) override;
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
                const CancelToken& cancel, std::vector<float>& logits);
    DecoderRows rows_at(const SequenceTable& table, const std::vector<Place>& places) const;

    std::shared_ptr<DecoderModel> model_;
    CacheShares::Share share_;
    std::atomic<bool> released_{false};
    bool broken_ = false;  // by an error in a step: the cache may hold half of it
    SequenceTable table_;
    std::vector<std::vector<int32_t>> encoder_cells_;  // by the sequences' origin
    std::unique_ptr<KvCache> cache_;                   // made by the first step, on the engine thread
};

// What the composition has of a DecoderModel.
class DecoderLanguageModel : public LanguageModel {
  public:
    explicit DecoderLanguageModel(std::shared_ptr<DecoderModel> model) : model_(std::move(model)) {}

    int32_t context_size() const override { return model_->cells(); }
    int64_t max_positions() const override { return model_->max_positions(); }
    std::unique_ptr<LanguageModelSession> create_session(int32_t cells, int32_t sequences) override {
        return std::make_unique<DecoderSession>(model_, cells, sequences);
    }
    void forward(const ForwardInput& input, const CancelToken& cancel, Trace& trace) override {
        instructblip::forward(*model_, input, cancel, trace);
    }

  private:
    std::shared_ptr<DecoderModel> model_;
};

}  // namespace instructblip
