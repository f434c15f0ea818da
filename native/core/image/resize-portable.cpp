#include "image/resize-kernels.h"

namespace instructblip::image {
namespace {

#include "image/mix-rows.inl"

void resize_row(const uint8_t* row, const ResizeFilter& filter, uint8_t* output) {
    for (int64_t x = 0; x < filter.size; ++x) {
        const int32_t* const weights = filter.weights.data() + x * filter.stride;
        const uint8_t* pixel = row + filter.first[static_cast<std::size_t>(x)] * 3;
        uint32_t sums[3] = {half_of_one, half_of_one, half_of_one};
        for (int64_t k = 0; k < filter.count[static_cast<std::size_t>(x)]; ++k, pixel += 3) {
            const auto weight = static_cast<uint32_t>(weights[k]);
            for (int channel = 0; channel < 3; ++channel) sums[channel] += pixel[channel] * weight;
        }
        for (int channel = 0; channel < 3; ++channel) output[x * 3 + channel] = clip8(sums[channel]);
    }
}

}  // namespace

const ResizeKernels portable_resize_kernels = {"portable", resize_row, mix_rows};

const ResizeKernels& choose_resize_kernels() {
#ifdef INSTRUCTBLIP_RESIZE_AVX2
    if (__builtin_cpu_supports("avx2")) return avx2_resize_kernels;
#endif
    return portable_resize_kernels;
}

}  // namespace instructblip::image
