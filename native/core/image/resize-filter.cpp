// Compiled without contraction of products and sums: each rounding shows in a weight.
#include "image/resize-filter.h"

#include <algorithm>
#include <cmath>

namespace instructblip::image {
namespace {

constexpr double bicubic_support = 2;

// Catmull-Rom: Pillow's BICUBIC has a = -0.5. Same operations in the same order as Pillow's.
double bicubic(double at) {
    constexpr double a = -0.5;
    const double x = std::abs(at);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

int32_t to_fixed(double weight) {
    const double scaled = weight * (1 << precision_bits);
    return static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

// In halves of which the lower has no sign.
void split(const std::vector<int32_t>& weights, ResizeFilter& filter) {
    constexpr int low_bits = 13;
    for (const int32_t weight : weights) {
        filter.low.push_back(static_cast<int16_t>(weight & ((1 << low_bits) - 1)));
        filter.high.push_back(static_cast<int16_t>(weight >> low_bits));
    }
}

}  // namespace

// Pillow's precompute_coeffs and normalize_coeffs_8bpc.
ResizeFilter make_resize_filter(int64_t input_size, int64_t output_size) {
    const double scale = static_cast<double>(input_size) / static_cast<double>(output_size);
    const double filter_scale = std::max(scale, 1.0);
    const double support = bicubic_support * filter_scale;
    const double inverse = 1 / filter_scale;
    const int64_t most = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
    ResizeFilter filter{};
    filter.size = output_size;
    filter.stride = (most + 3) / 4 * 4;
    filter.weights.resize(static_cast<size_t>(output_size * filter.stride));
    std::vector<double> exact(static_cast<size_t>(most));
    for (int64_t i = 0; i < output_size; ++i) {
        const double center = (static_cast<double>(i) + 0.5) * scale;
        const auto low = std::max<int64_t>(0, static_cast<int64_t>(std::floor(center - support + 0.5)));
        const auto high = std::min(input_size, static_cast<int64_t>(std::floor(center + support + 0.5)));
        double sum = 0;
        for (int64_t k = 0; k < high - low; ++k) {
            const double weight = bicubic((static_cast<double>(k + low) - center + 0.5) * inverse);
            exact[static_cast<size_t>(k)] = weight;
            sum += weight;
        }
        int32_t* const weights = filter.weights.data() + i * filter.stride;
        for (int64_t k = 0; k < high - low; ++k) {
            const double weight = exact[static_cast<size_t>(k)];
            weights[k] = to_fixed(sum == 0 ? weight : weight / sum);
        }
        filter.first.push_back(low);
        filter.count.push_back(high - low);
    }
    split(filter.weights, filter);
    return filter;
}

}  // namespace instructblip::image
