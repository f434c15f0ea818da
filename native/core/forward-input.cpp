#include "forward-input.h"

#include <string>

#include "error.h"

namespace instructblip {
namespace {

void check_mask(const char* what, const std::vector<int32_t>& mask, const std::vector<int32_t>& tokens) {
    if (mask.empty() || mask.size() == tokens.size()) return;
    throw ModelError("OPTION_INVALID", std::string("the mask of the ") + what + " must have " +
                                           std::to_string(tokens.size()) + " values, not " +
                                           std::to_string(mask.size()));
}

}  // namespace

std::vector<int32_t> whole_mask(int64_t visible, const std::vector<int32_t>& mask, int64_t count) {
    std::vector<int32_t> whole(static_cast<size_t>(visible), 1);
    if (mask.empty()) {
        whole.resize(static_cast<size_t>(visible + count), 1);
    } else {
        whole.insert(whole.end(), mask.begin(), mask.end());
    }
    return whole;
}

std::vector<int32_t> causal_positions(const std::vector<int32_t>& mask, const std::vector<int32_t>& positions) {
    if (mask.front() == 0) {
        throw ModelError("OPTION_INVALID", "the first token of a decoder must not be hidden: it would see nothing");
    }
    const size_t rows = mask.size();
    std::vector<int32_t> seen(rows * rows, -1);
    for (size_t row = 0; row < rows; ++row) {
        for (size_t key = 0; key <= row; ++key) {
            if (mask[key] != 0) seen[row * rows + key] = positions[key];
        }
    }
    return seen;
}

void check_forward_input(const ForwardInput& input, bool encodes) {
    check_mask("tokens", input.mask, input.tokens);
    check_mask("answer", input.answer_mask, input.answer);
    if (input.soft_tokens.empty() && input.tokens.empty()) {
        throw ModelError("OPTION_INVALID", "a prompt has at least one row");
    }
    if (encodes && input.answer.empty()) {
        throw ModelError("OPTION_INVALID", "an encoder-decoder needs what its decoder reads");
    }
    if (!encodes && !input.answer.empty()) {
        throw ModelError("OPTION_INVALID", "a model without an encoder reads no answer apart from the prompt");
    }
}

}  // namespace instructblip
