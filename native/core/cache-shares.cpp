#include "cache-shares.h"

#include <string>

#include "error.h"

namespace instructblip {

CacheShares::CacheShares(int32_t cells, int32_t sequences) : free_cells_(cells) {
    for (int32_t id = sequences; id-- > 0;) free_ids_.push_back(id);
}

CacheShares::Share CacheShares::take(int32_t cells, int32_t sequences) {
    if (cells < 1 || sequences < 1) {
        throw ModelError("OPTION_INVALID", "a session needs at least one cell and one sequence, not " +
                                               std::to_string(cells) + " and " + std::to_string(sequences));
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    if (cells > free_cells_ || sequences > static_cast<int32_t>(free_ids_.size())) {
        throw ModelError("CONTEXT_LENGTH_EXCEEDED",
                         "a session of " + std::to_string(cells) + " cells and " + std::to_string(sequences) +
                             " sequences was asked for, but " + std::to_string(free_cells_) + " and " +
                             std::to_string(free_ids_.size()) +
                             " are free: dispose of other sessions, or load with a larger contextSize or maxBatch");
    }
    Share share{cells, {free_ids_.end() - sequences, free_ids_.end()}};
    free_ids_.resize(free_ids_.size() - static_cast<size_t>(sequences));
    free_cells_ -= cells;
    return share;
}

void CacheShares::give_back(const Share& share) {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_cells_ += share.cells;
    free_ids_.insert(free_ids_.end(), share.sequence_ids.begin(), share.sequence_ids.end());
}

}  // namespace instructblip
