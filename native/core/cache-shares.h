// Who holds how much of the one KV cache: cells and sequence ids, reserved before a session begins.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

namespace instructblip {

class CacheShares {
  public:
    struct Share {
        int32_t cells;
        std::vector<int32_t> sequence_ids;
    };

    CacheShares(int32_t cells, int32_t sequences);

    // From any thread. Throws OPTION_INVALID below 1, CONTEXT_LENGTH_EXCEEDED for more than is free.
    Share take(int32_t cells, int32_t sequences);
    void give_back(const Share& share);

  private:
    std::mutex mutex_;
    int32_t free_cells_;
    std::vector<int32_t> free_ids_;
};

}  // namespace instructblip
