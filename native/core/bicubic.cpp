#include "bicubic.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace instructblip {
namespace {

constexpr float sharpness = -0.75F;  // PyTorch's A; Pillow's is -0.5

// What one value along an axis is made of.
struct Taps {
    std::array<int64_t, 4> positions;
    std::array<float, 4> weights;
};

// At most 1 away.
float near_weight(float distance) {
    return ((sharpness + 2) * distance - (sharpness + 3)) * distance * distance + 1;
}

// Between 1 and 2 away.
float far_weight(float distance) {
    return ((sharpness * distance - 5 * sharpness) * distance + 8 * sharpness) * distance - 4 * sharpness;
}

std::vector<Taps> taps_of(int64_t from, int64_t to) {
    const float scale = static_cast<float>(from) / static_cast<float>(to);
    std::vector<Taps> all;
    all.reserve(static_cast<size_t>(to));
    for (int64_t i = 0; i < to; ++i) {
        const float center = scale * (static_cast<float>(i) + 0.5F) - 0.5F;
        const float below = std::floor(center);
        const float t = center - below;
        Taps taps{{}, {far_weight(t + 1), near_weight(t), near_weight(1 - t), far_weight(2 - t)}};
        for (int64_t tap = 0; tap < 4; ++tap) {
            taps.positions[static_cast<size_t>(tap)] =
                std::clamp<int64_t>(static_cast<int64_t>(below) - 1 + tap, 0, from - 1);
        }
        all.push_back(taps);
    }
    return all;
}

}  // namespace

std::vector<float> resize_bicubic(const float* values, const GridSize& from, const GridSize& to, int64_t channels) {
    const std::vector<Taps> rows = taps_of(from.height, to.height);
    const std::vector<Taps> columns = taps_of(from.width, to.width);
    std::vector<float> result(static_cast<size_t>(to.height * to.width * channels), 0.0F);
    float* out = result.data();
    for (const Taps& row : rows) {
        for (const Taps& column : columns) {
            for (size_t tap = 0; tap < 16; ++tap) {
                const float weight = row.weights[tap / 4] * column.weights[tap % 4];
                const float* const source =
                    values + (row.positions[tap / 4] * from.width + column.positions[tap % 4]) * channels;
                for (int64_t i = 0; i < channels; ++i) out[i] += weight * source[i];
            }
            out += channels;
        }
    }
    return result;
}

}  // namespace instructblip
