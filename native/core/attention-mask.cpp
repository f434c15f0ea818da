#include "attention-mask.h"

#include <algorithm>
#include <limits>

namespace instructblip {

AttentionMask::AttentionMask(const std::vector<int32_t>& positions, int64_t keys)
    : shape_{keys == 0 ? 0 : static_cast<int64_t>(positions.size()) / keys, keys} {
    if (std::all_of(positions.begin(), positions.end(), [](int32_t position) { return position >= 0; })) return;
    bias_.reserve(positions.size());
    for (const int32_t position : positions) {
        bias_.push_back(position < 0 ? -std::numeric_limits<float>::infinity() : 0.0F);
    }
}

AttentionMask AttentionMask::of_keys(const std::vector<int32_t>& mask, int64_t rows) {
    return {positions_of_keys(mask, rows), static_cast<int64_t>(mask.size())};
}

std::vector<int32_t> positions_of_keys(const std::vector<int32_t>& mask, int64_t rows) {
    std::vector<int32_t> positions;
    positions.reserve(mask.size() * static_cast<size_t>(rows));
    for (int64_t row = 0; row < rows; ++row) {
        for (const int32_t seen : mask) positions.push_back(seen - 1);
    }
    return positions;
}

ggml_tensor* AttentionMask::build(Graph& graph, const std::string& name) const {
    return bias_.empty() ? nullptr : graph.input(name, shape_, bias_.data());
}

}  // namespace instructblip
