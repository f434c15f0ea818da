// The interface that every language model (LLaMA, Flan-T5, OPT: siblings) offers to the composition.
// Generation knows no model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cancel-token.h"
#include "forward-input.h"
#include "trace.h"

namespace instructblip {

// What a sequence begins with. Shapes are in PyTorch order.
struct Prompt {
    std::vector<float> soft_tokens;  // [N, embedding_length], read first; may be empty
    std::vector<int32_t> tokens;
    // What the answer begins with. An encoder-decoder's decoder starts with it and needs at least one token
    // (T5: decoder_start_token_id); elsewhere it follows `tokens`, and there need not be any.
    std::vector<int32_t> answer_start;
};

// One request's state: sequences in the model's KV cache. After an error or an abort in a step the session is of no
// more use.
class LanguageModelSession {
  public:
    virtual ~LanguageModelSession() = default;

    // Begins one more sequence, behind those that there are, and writes its last row's logits [V].
    virtual void prefill(const Prompt& prompt, const CancelToken& cancel, std::vector<float>& logits) = 0;

    // One step: row i continues what was sequence parents[i] (none given: i) with tokens[i] and becomes sequence i.
    // Parents without a token, behind those with one, wait: they become sequences as they were. logits: [tokens, V].
    virtual void decode(const std::vector<int32_t>& tokens, const std::vector<int32_t>& parents,
                        const CancelToken& cancel, std::vector<float>& logits) = 0;

    // Gives the reservation back at once, from any thread; once or more. No step may follow. What the session left in
    // the cache goes when it is destroyed: on the engine thread, before a session that was created later takes a step.
    virtual void release() = 0;
};

// Text ↔ ids, where the engine does it (LLaMA). The tokenizers of other models run in TypeScript.
class EngineTokenizer {
  public:
    virtual ~EngineTokenizer() = default;

    // Bytes of the longest token's text: a text of n bytes has at least n / this many tokens.
    virtual int32_t longest_token() const = 0;

    // Ids of `text` without BOS/EOS; with parse_special, text in the shape of special tokens becomes those tokens.
    virtual std::vector<int32_t> tokenize(const std::string& text, bool parse_special) const = 0;
    virtual std::string token_bytes(int32_t token, bool special) const = 0;
};

class LanguageModel {
  public:
    virtual ~LanguageModel() = default;

    // Cells of the KV cache, of all sessions together. Each token of a sequence takes one, and each row that an encoder
    // reads.
    virtual int32_t context_size() const = 0;

    // Tokens that one sequence can have; 0 = as many as the context holds.
    virtual int64_t max_positions() const = 0;

    // nullptr: the tokenizer runs in TypeScript.
    virtual const EngineTokenizer* tokenizer() const { return nullptr; }

    // Reserves `cells` cells of the KV cache for up to `sequences` sequences. From any thread. The session keeps what
    // it needs of the model. Throws CONTEXT_LENGTH_EXCEEDED when more is asked than is free.
    virtual std::unique_ptr<LanguageModelSession> create_session(int32_t cells, int32_t sequences) = 0;

    // HF's forward of one row of a batch: every token is given. Leaves what `trace` wants of language.logits [R,V] and
    // of the intermediates, of all R rows. Keys and values are kept in F32 and apart from the sessions'.
    // LLaMA: llama.embeddings, llama.layer-%d (the last is not there: llama.output is behind the last norm),
    // llama.attention_weights-%d [heads,R,R]. T5: encoder.* and decoder.*; OPT: opt.*: see their graphs.
    // Throws OPTION_INVALID, CONTEXT_LENGTH_EXCEEDED, ABORTED, OUT_OF_MEMORY, DEVICE_FAILED.
    virtual void forward(const ForwardInput& input, const CancelToken& cancel, Trace& trace) = 0;
};

// Completes and checks the arguments of LanguageModelSession::decode: the parents, at least one for each token, and at
// least one token. Throws OPTION_INVALID.
std::vector<int32_t> complete_parents(const std::vector<int32_t>& tokens, const std::vector<int32_t>& parents);

// Throws OPTION_INVALID for a token outside 0..vocabulary_size-1.
void check_tokens(const std::vector<int32_t>& tokens, int64_t vocabulary_size);

// Rows of soft tokens. Throws OPTION_INVALID when they are no whole rows of embedding_length.
int32_t count_soft_tokens(const std::vector<float>& soft_tokens, int64_t embedding_length);

}  // namespace instructblip
