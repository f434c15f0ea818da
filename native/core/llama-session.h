// One request's sequences in a LlamaContext.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "cache-shares.h"
#include "language-model.h"
#include "llama-language-model.h"
#include "sequence-table.h"

namespace instructblip {

class LlamaSession : public LanguageModelSession {
  public:
    LlamaSession(std::shared_ptr<LlamaContext> context, int32_t cells, int32_t sequences);
    ~LlamaSession() override;
    LlamaSession(const LlamaSession&) = delete;
    LlamaSession& operator=(const LlamaSession&) = delete;

    void prefill(const Prompt& prompt, const CancelToken& cancel, std::vector<float>& logits) override;
    void decode(const std::vector<int32_t>& tokens, const std::vector<int32_t>& parents, const CancelToken& cancel,
                std::vector<float>& logits) override;
    void release() override;

  private:
    void check_step(const std::vector<int32_t>& tokens) const;
    // Appends `count` rows of embeddings to `row`, in graphs of at most llama_n_batch() rows; the last one has logits.
    void append(int32_t row, const float* embeddings, int32_t count, const CancelToken& cancel);
    void move(const SequenceMoves& moves) const;
    void read_logits(int32_t rows, std::vector<float>& logits) const;

    std::shared_ptr<LlamaContext> context_;
    CacheShares::Share share_;
    std::atomic<bool> released_{false};
    bool broken_ = false;  // by an error in a step: the cache may hold half of it
    SequenceTable table_;
};

}  // namespace instructblip
