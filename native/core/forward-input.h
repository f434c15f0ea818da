// What one row of a batch is in a forward pass (HF's `forward`): all of it is known, and read at once.
#pragma once

#include <cstdint>
#include <vector>

namespace instructblip {

// Masks are of 0 (not to be seen by any row) and 1; empty = all 1.
struct ForwardInput {
    std::vector<float> soft_tokens;  // [N,embedding_length], read first; all are seen
    std::vector<int32_t> tokens;
    std::vector<int32_t> mask;    // of tokens
    std::vector<int32_t> answer;  // of an encoder-decoder: what its decoder reads
    std::vector<int32_t> answer_mask;
};

// `visible` rows that are always seen, then `mask` (empty: `count` of 1).
std::vector<int32_t> whole_mask(int64_t visible, const std::vector<int32_t>& mask, int64_t count);

// What row i of a decoder sees, [R,R]: the positions (given) of rows up to i that `mask` leaves; -1 = hidden.
// Throws OPTION_INVALID where the first row is hidden: it would see nothing.
std::vector<int32_t> causal_positions(const std::vector<int32_t>& mask, const std::vector<int32_t>& positions);

// Throws OPTION_INVALID for a mask of another size than its tokens, and for an input without rows.
void check_forward_input(const ForwardInput& input, bool encodes);

}  // namespace instructblip
