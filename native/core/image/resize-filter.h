// Which pixels make one of the result, and how much each counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace instructblip::image {

// Pillow's fixed point: 8 bits of result, 2 spare, the rest fraction.
constexpr int precision_bits = 22;

// For each of `size` places of the output: the first place of the input that it reads, how many, and their weights.
struct ResizeFilter {
    int64_t size;
    int64_t stride;  // of weights; a multiple of 4, those that are not needed 0
    std::vector<int64_t> first;
    std::vector<int64_t> count;
    std::vector<int32_t> weights;  // [size,stride]
    // The weights again, each as 2^13 · high + low with 0 <= low < 2^13: two products of 16 bits instead of one of 32.
    std::vector<int16_t> low;
    std::vector<int16_t> high;
};

ResizeFilter make_resize_filter(int64_t input_size, int64_t output_size);

}  // namespace instructblip::image
