// A batch of libllama with one sequence id for each row; the arrays that it wants, owned.
#pragma once

#include <llama.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace instructblip {

class LlamaBatch {
  public:
    explicit LlamaBatch(int32_t rows)
        : positions_(static_cast<size_t>(rows)),
          ids_(static_cast<size_t>(rows)),
          id_counts_(static_cast<size_t>(rows), 1),
          id_pointers_(static_cast<size_t>(rows)),
          outputs_(static_cast<size_t>(rows), 0) {
        std::transform(ids_.begin(), ids_.end(), id_pointers_.begin(), [](llama_seq_id& id) { return &id; });
    }

    void set(int32_t row, int32_t position, int32_t id, bool output) {
        const auto index = static_cast<size_t>(row);
        positions_[index] = position;
        ids_[index] = id;
        outputs_[index] = output ? 1 : 0;
    }

    // libllama takes pointers to what it does not write.
    llama_batch view(const float* embeddings, const int32_t* tokens) {
        return {static_cast<int32_t>(ids_.size()),
                const_cast<int32_t*>(tokens),
                const_cast<float*>(embeddings),
                positions_.data(),
                id_counts_.data(),
                id_pointers_.data(),
                outputs_.data()};
    }

  private:
    std::vector<llama_pos> positions_;
    std::vector<llama_seq_id> ids_;
    std::vector<int32_t> id_counts_;
    std::vector<llama_seq_id*> id_pointers_;
    std::vector<int8_t> outputs_;
};

}  // namespace instructblip
