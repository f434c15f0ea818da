// Vicuna and its kin through libllama: one context with one unified KV cache for all sessions of a model.
#pragma once

#include <llama-cpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cache-shares.h"
#include "cache-size.h"
#include "compute.h"
#include "gguf-file.h"
#include "language-model.h"
#include "llama-check.h"
#include "threads.h"
#include "token-embeddings.h"
#include "weights.h"

namespace instructblip {

// The model and its context, shared by the sessions. Only the engine thread may decode.
class LlamaContext {
  public:
    LlamaContext(const std::shared_ptr<const GgufFile>& file, const LlamaFacts& facts, const Compute& compute,
                 const LanguageModelOptions& options, const LoadMonitor& monitor);
    // Another context on the same weights, for one sequence of up to `cells` rows and the logits of each; with keys and
    // values in F32, the plain attention, and every tensor that is computed shown to `observe`.
    LlamaContext(const LlamaContext& other, const Compute& compute, int32_t cells,
                 ggml_backend_sched_eval_callback observe, void* observer);
    LlamaContext(const LlamaContext&) = delete;
    LlamaContext& operator=(const LlamaContext&) = delete;

    llama_context* get() const { return context_.get(); }
    llama_memory_t memory() const { return llama_get_memory(context_.get()); }
    const llama_vocab* vocab() const { return llama_model_get_vocab(model_.get()); }
    const LlamaFacts& facts() const { return facts_; }
    const TokenEmbeddings& embeddings() const { return embeddings_; }
    int32_t cells() const { return cells_; }
    CacheShares& shares() { return shares_; }

    // Throws ABORTED, CONTEXT_LENGTH_EXCEEDED, OUT_OF_MEMORY, DEVICE_FAILED.
    void decode(const llama_batch& batch, const CancelToken& cancel);

  private:
    void load_model(const GgufFile& file, const Compute& compute, const LanguageModelOptions& options,
                    const LoadMonitor& monitor);
    llama_context_params context_params(const Compute& compute);
    void create_context(const llama_context_params& params);
    static bool should_abort(void* self);

    LlamaFacts facts_;
    TokenEmbeddings embeddings_;
    GraphWork row_;  // of one row of a batch
    int threads_;
    ggml_type cache_type_;
    int32_t cells_;
    CacheShares shares_;
    std::shared_ptr<llama_model> model_;
    llama_context_ptr context_;            // freed before its model
    const CancelToken* cancel_ = nullptr;  // of the decode in progress
};

class LlamaLanguageModel : public LanguageModel, public EngineTokenizer {
  public:
    // `facts` are check_llama(file)'s; `compute` must outlive the model. Throws MODEL_FILE_CORRUPT, OUT_OF_MEMORY,
    // ABORTED.
    LlamaLanguageModel(const std::shared_ptr<const GgufFile>& file, const LlamaFacts& facts, const Compute& compute,
                       const LanguageModelOptions& options, const LoadMonitor& monitor = {});

    int32_t context_size() const override { return context_->cells(); }
    // What it was trained for, unless a context size is asked for.
    int64_t max_positions() const override { return max_positions_; }
    const EngineTokenizer* tokenizer() const override { return this; }
    int32_t longest_token() const override { return longest_token_; }
    std::vector<int32_t> tokenize(const std::string& text, bool parse_special) const override;
    std::string token_bytes(int32_t token, bool special) const override;
    std::unique_ptr<LanguageModelSession> create_session(int32_t cells, int32_t sequences) override;
    void forward(const ForwardInput& input, const CancelToken& cancel, Trace& trace) override;

  private:
    const Compute& compute_;
    std::shared_ptr<LlamaContext> context_;
    int64_t max_positions_;
    int32_t longest_token_;
};

}  // namespace instructblip
