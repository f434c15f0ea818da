// libllama's SentencePiece BPE: text ↔ ids by the vocabulary of a loaded model, or of a file of which nothing else is
// loaded.
#pragma once

#include <llama-cpp.h>

#include <cstdint>
#include <string>
#include <vector>

#include "gguf-file.h"
#include "language-model.h"

namespace instructblip {

// What EngineTokenizer offers, for a vocabulary of any owner.
std::vector<int32_t> llama_text_ids(const llama_vocab* vocab, const std::string& text, bool parse_special);
std::string llama_token_bytes(const llama_vocab* vocab, int32_t token, bool special);
int32_t llama_longest_token(const llama_vocab* vocab);

// The tokenizer of a `llama` file by itself: no weights, no context, no devices.
class LlamaVocabularyTokenizer : public EngineTokenizer {
  public:
    // Checks the keys that libllama reads for it. Throws MODEL_FILE_KEY_MISSING, MODEL_FILE_KEY_INVALID,
    // MODEL_FILE_UNSUPPORTED, MODEL_FILE_CORRUPT, ENGINE_LOAD_FAILED.
    explicit LlamaVocabularyTokenizer(const GgufFile& file);

    int32_t size() const { return llama_vocab_n_tokens(vocab()); }
    int32_t longest_token() const override { return longest_token_; }
    std::vector<int32_t> tokenize(const std::string& text, bool parse_special) const override {
        return llama_text_ids(vocab(), text, parse_special);
    }
    std::string token_bytes(int32_t token, bool special) const override {
        return llama_token_bytes(vocab(), token, special);
    }

  private:
    const llama_vocab* vocab() const { return llama_model_get_vocab(model_.get()); }

    llama_model_ptr model_;
    int32_t longest_token_ = 1;
};

}  // namespace instructblip
