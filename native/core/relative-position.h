// T5's relative positions: distances in buckets, each with a learned bias per head.
#pragma once

#include <cstdint>

namespace instructblip {

struct RelativePositions {
    int64_t buckets;
    int64_t max_distance;  // beyond it everything falls into the last bucket
    bool bidirectional;    // half of the buckets are for keys that come later (encoder)

    // The bucket of the key at position `key`, seen from `query`: HF's T5Attention._relative_position_bucket, in the
    // same float32 arithmetic.
    int32_t bucket_of(int64_t query, int64_t key) const;
};

}  // namespace instructblip
