// The embeddings of a language model's tokens, looked up in its file: libllama takes ids or embeddings in a batch, not
// both, and soft tokens and ids in one graph are half the work of two, which unpack every weight for a few rows each.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "gguf-file.h"

namespace instructblip {

class TokenEmbeddings {
  public:
    // The file has been checked: `token_embd.weight` [V,hidden], of a type that rows are looked up in.
    explicit TokenEmbeddings(std::shared_ptr<const GgufFile> file);

    // Appends a row [hidden] for each token, the same numbers that the engine looks up. Tokens are in 0..V-1.
    void append(const std::vector<int32_t>& tokens, std::vector<float>& rows) const;

  private:
    std::shared_ptr<const GgufFile> file_;  // keeps the table mapped
    const GgufTensor& table_;
};

}  // namespace instructblip
