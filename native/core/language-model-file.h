// What a language model file says, read and checked before any of its weights is touched, and the model made of it.
// The only place that knows which kinds there are.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "cache-size.h"
#include "compute.h"
#include "gguf-file.h"
#include "language-model.h"
#include "llama-check.h"
#include "opt-config.h"
#include "t5-config.h"
#include "vocabulary.h"
#include "weights.h"

namespace instructblip {

struct LanguageModelFile {
    std::shared_ptr<const GgufFile> file;
    std::string model_type;    // HF's name of its architecture: `llama`, `t5`, `opt`
    int64_t embedding_length;  // of a soft token
    int64_t vocabulary_size;
    int32_t eos_token;  // of the vocabulary, -1 = none
    // Where the tokenizer runs in TypeScript.
    std::optional<Vocabulary> vocabulary;
    std::variant<LlamaFacts, T5Config, OptConfig> config;

    // Throws MODEL_FILE_*.
    static LanguageModelFile read(const std::shared_ptr<const GgufFile>& file);

    // Throws OPTION_INVALID, OUT_OF_MEMORY, ABORTED, MODEL_FILE_CORRUPT. `compute` must outlive the model.
    std::unique_ptr<LanguageModel> load(Compute& compute, const LanguageModelOptions& options,
                                        const LoadMonitor& monitor) const;
};

}  // namespace instructblip
