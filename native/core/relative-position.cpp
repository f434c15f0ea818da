#include "relative-position.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace instructblip {

int32_t RelativePositions::bucket_of(int64_t query, int64_t key) const {
    const int64_t count = bidirectional ? buckets / 2 : buckets;
    const int64_t later = bidirectional && key > query ? count : 0;
    const int64_t distance = bidirectional ? std::abs(key - query) : std::max<int64_t>(query - key, 0);
    const int64_t exact = count / 2;
    if (distance < exact) return static_cast<int32_t>(later + distance);
    const float ratio = static_cast<float>(distance) / static_cast<float>(exact);
    const auto range = static_cast<float>(std::log(static_cast<double>(max_distance) / static_cast<double>(exact)));
    const float step = std::log(ratio) / range * static_cast<float>(count - exact);
    return static_cast<int32_t>(later + std::min(exact + static_cast<int64_t>(step), count - 1));
}

}  // namespace instructblip
