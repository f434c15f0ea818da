// The vocabulary of a language model whose tokenizer runs in TypeScript: SentencePiece Unigram or byte-level BPE.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gguf-file.h"

namespace instructblip {

struct Vocabulary {
    std::string kind;                 // `t5` or `gpt2`
    std::vector<std::string> tokens;  // by id
    std::vector<float> scores;        // of Unigram pieces; else empty
    std::vector<int32_t> types;       // 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
    std::vector<uint8_t> charsmap;    // SentencePiece's precompiled normalization; empty = none
    std::vector<std::string> merges;  // of BPE, best first; else empty
    bool add_space_prefix;
    bool remove_extra_whitespaces;
    int32_t unk_token;  // -1 = none
    int32_t eos_token;  // -1 = none

    // Throws MODEL_FILE_KEY_MISSING, MODEL_FILE_KEY_INVALID, MODEL_FILE_UNSUPPORTED (another kind of tokenizer).
    static Vocabulary read(const GgufFile& file);
};

}  // namespace instructblip
