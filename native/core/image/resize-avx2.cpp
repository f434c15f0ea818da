#include "image/resize-kernels.h"

#ifdef INSTRUCTBLIP_RESIZE_AVX2
#include <immintrin.h>

namespace instructblip::image {
namespace {

#include "image/mix-rows.inl"

__m256i broadcast4(const int16_t* from) {
    int64_t four = 0;
    __builtin_memcpy(&four, from, sizeof(four));
    return _mm256_set1_epi64x(four);
}

// Four pixels at a time: 16-bit numbers r r r r g g g g b b b b and four zeros, so that a product of two pairs leaves
// two sums of each channel side by side.
void resize_row(const uint8_t* row, const ResizeFilter& filter, uint8_t* output) {
    const __m128i by_channel = _mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1);
    for (int64_t x = 0; x < filter.size; ++x) {
        const int16_t* const low = filter.low.data() + x * filter.stride;
        const int16_t* const high = filter.high.data() + x * filter.stride;
        const uint8_t* pixel = row + filter.first[static_cast<std::size_t>(x)] * 3;
        __m256i lows = _mm256_setzero_si256();
        __m256i highs = _mm256_setzero_si256();
        for (int64_t k = 0; k < filter.count[static_cast<std::size_t>(x)]; k += 4, pixel += 12) {
            const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(pixel));
            const __m256i four = _mm256_cvtepu8_epi16(_mm_shuffle_epi8(bytes, by_channel));
            lows = _mm256_add_epi32(lows, _mm256_madd_epi16(four, broadcast4(low + k)));
            highs = _mm256_add_epi32(highs, _mm256_madd_epi16(four, broadcast4(high + k)));
        }
        alignas(32) uint32_t sums[8];
        _mm256_store_si256(reinterpret_cast<__m256i*>(sums), _mm256_add_epi32(lows, _mm256_slli_epi32(highs, 13)));
        for (int channel = 0; channel < 3; ++channel)
            output[x * 3 + channel] = clip8(half_of_one + sums[2 * channel] + sums[2 * channel + 1]);
    }
}

}  // namespace

const ResizeKernels avx2_resize_kernels = {"avx2", resize_row, mix_rows};

}  // namespace instructblip::image
#endif
