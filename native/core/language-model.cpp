#include "language-model.h"

#include <numeric>

#include "error.h"

namespace instructblip {

std::vector<int32_t> complete_parents(const std::vector<int32_t>& tokens, const std::vector<int32_t>& parents) {
    if (parents.empty()) {
        std::vector<int32_t> identity(tokens.size());
        std::iota(identity.begin(), identity.end(), 0);
        return identity;
    }
    if (!tokens.empty() && parents.size() >= tokens.size()) return parents;
    throw ModelError("OPTION_INVALID", std::to_string(tokens.size()) + " tokens came with " +
                                           std::to_string(parents.size()) + " parents");
}

void check_tokens(const std::vector<int32_t>& tokens, int64_t vocabulary_size) {
    for (const int32_t token : tokens) {
        if (token >= 0 && token < vocabulary_size) continue;
        throw ModelError("OPTION_INVALID", "token " + std::to_string(token) + " is none of the vocabulary's " +
                                               std::to_string(vocabulary_size));
    }
}

int32_t count_soft_tokens(const std::vector<float>& soft_tokens, int64_t embedding_length) {
    const auto width = static_cast<size_t>(embedding_length);
    if (soft_tokens.size() % width == 0) return static_cast<int32_t>(soft_tokens.size() / width);
    throw ModelError("OPTION_INVALID", "soft tokens are rows of " + std::to_string(width) + " values, not " +
                                           std::to_string(soft_tokens.size()) + " values");
}

}  // namespace instructblip
