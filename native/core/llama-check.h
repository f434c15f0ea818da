// What libllama takes on trust in a `llama` file, checked before it sees the file: its asserts end the process, and
// what it throws has no code of ours. The container itself (bounds, sizes, overlaps) is gguf-file's.
#pragma once

#include <cstdint>
#include <string>

#include "gguf-file.h"
#include "llama-keys.h"

namespace instructblip {

// The language model as its file describes it, defaults as libllama applies them. -1 = none.
struct LlamaFacts {
    std::string name;  // general.name; may be empty
    int64_t embedding_length;
    int64_t block_count;
    int64_t head_count;
    int64_t head_count_kv;
    int64_t key_length;    // of one head
    int64_t value_length;  // equal to key_length
    int64_t feed_forward_length;
    int64_t context_length;   // that it was trained for
    int64_t vocabulary_size;  // tokens = rows of the embedding = logits
    float rope_freq_base;
    float rms_eps;
    int32_t bos_token_id;
    int32_t eos_token_id;
    int32_t unk_token_id;
    bool tied_output;  // the embedding is the output matrix too
};

// Throws MODEL_FILE_UNSUPPORTED, MODEL_FILE_CORRUPT, MODEL_FILE_KEY_MISSING, MODEL_FILE_KEY_INVALID,
// MODEL_FILE_TENSOR_MISSING, MODEL_FILE_TENSOR_INVALID.
LlamaFacts check_llama(const GgufFile& file);

// The part of it that every loading of a file needs, also one of the vocabulary alone: the architecture is `llama`, and
// the keys of no architecture have the types that libllama asks for.
void check_llama_file_keys(const LlamaKeys& keys);

}  // namespace instructblip
