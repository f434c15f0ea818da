// The interface that every language model (LLaMA here, Flan-T5 and OPT as siblings) offers to the composition.
// Generation knows no model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cancel-token.h"

namespace instructblip {

// One request's state: sequences in the model's KV cache. Shapes are in PyTorch order.
class LanguageModelSession {
  public:
    virtual ~LanguageModelSession() = default;

    // Appends [soft tokens][tokens] to sequence 0 and writes the last row's logits [V].
    // soft_tokens: [soft_count, n_embd], may be empty. After an error or an abort the session is of no more use.
    virtual void prefill(const std::vector<float>& soft_tokens, const std::vector<int32_t>& tokens,
                         const CancelToken& cancel, std::vector<float>& logits) = 0;

    // One step: row i continues what was sequence parents[i] with tokens[i] and becomes sequence i. logits: [rows, V].
    virtual void decode(const std::vector<int32_t>& tokens, const std::vector<int32_t>& parents,
                        const CancelToken& cancel, std::vector<float>& logits) = 0;

    // Gives the reservation back at once, from any thread; once or more. No step may follow. What the session left in
    // the cache goes when it is destroyed: on the engine thread, before a session that was created later takes a step.
    virtual void release() = 0;
};

class LanguageModel {
  public:
    virtual ~LanguageModel() = default;

    virtual int32_t embedding_length() const = 0;
    virtual int32_t vocabulary_size() const = 0;
    virtual int32_t context_size() const = 0;
    virtual int32_t training_context_size() const = 0;
    virtual int32_t eos_token() const = 0;
    // Bytes of the longest token's text: a text of n bytes has at least n / this many tokens.
    virtual int32_t longest_token() const = 0;

    // Ids of `text` without BOS/EOS; with parse_special, text in the shape of special tokens becomes those tokens.
    virtual std::vector<int32_t> tokenize(const std::string& text, bool parse_special) const = 0;
    virtual std::string token_bytes(int32_t token, bool special) const = 0;

    // Reserves `cells` cells of the KV cache for up to `sequences` sequences. From any thread. The session keeps what
    // it needs of the model. Throws CONTEXT_LENGTH_EXCEEDED when more is asked than is free.
    virtual std::unique_ptr<LanguageModelSession> create_session(int32_t cells, int32_t sequences) = 0;
};

}  // namespace instructblip
