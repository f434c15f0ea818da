// The SentencePiece vocabulary of a `llama` file: what libllama's tokenizer takes on trust.
#pragma once

#include <cstdint>

#include "llama-keys.h"

namespace instructblip {

// Ids as libllama finds them: its defaults where the file has no key.
struct LlamaVocabulary {
    int64_t size;
    int32_t bos_token_id;
    int32_t eos_token_id;
    int32_t unk_token_id;
};

// Throws MODEL_FILE_KEY_MISSING, MODEL_FILE_KEY_INVALID, MODEL_FILE_UNSUPPORTED (another kind of tokenizer).
LlamaVocabulary check_llama_vocabulary(const LlamaKeys& keys);

}  // namespace instructblip
