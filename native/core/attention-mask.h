// What rows do not see, as the bias of their attention.
#pragma once

#include <ggml.h>

#include <cstdint>
#include <string>
#include <vector>

#include "graph.h"

namespace instructblip {

class AttentionMask {
  public:
    // positions [R,keys]: below 0 = the row does not see the key.
    AttentionMask(const std::vector<int32_t>& positions, int64_t keys);

    // Of `rows` rows that see the same: mask [keys] of 0 (hidden) and 1; empty = nothing is hidden.
    static AttentionMask of_keys(const std::vector<int32_t>& mask, int64_t rows);

    // [R,keys] of 0 and -infinity; nullptr: every row sees every key. This must live until the graph has run.
    ggml_tensor* build(Graph& graph, const std::string& name) const;

  private:
    std::vector<int64_t> shape_;
    std::vector<float> bias_;  // empty: nothing is hidden
};

// Of `rows` rows that see the same, where only hidden or not matters: [rows,keys], -1 where mask [keys] is 0, else 0.
std::vector<int32_t> positions_of_keys(const std::vector<int32_t>& mask, int64_t rows);

}  // namespace instructblip
