// AArch64 with the dot-product extension.
#include "kernels.h"

#ifdef INSTRUCTBLIP_GEMM_NEON
#include <arm_neon.h>
#include <ggml.h>

namespace instructblip::gemm {
namespace {

#include "neon-kernels.inl"

// A group of eight rows of weights fills half of the registers; rows of x pass by one after another, so a tile's size
// is free.
template <int64_t group>
void multiply_quantized_by(const QuantizedPanel& panel, int64_t columns, const QuantizedRows x, int64_t rows,
                           float* sums) {
    constexpr int words = group / columns_per_word;
    const uint8_t* weights = panel.values;
    for (int64_t index = 0; index < columns / group; ++index) {
        int8x16_t w0[words];
        int8x16_t w1[words];
#pragma GCC unroll 8
        for (int word = 0; word < words; ++word, weights += panel_rows * 4) {
            w0[word] = load_signed(weights);
            w1[word] = load_signed(weights + 16);
        }
        const GroupScales scales = group_scales(panel, index);
        for (int64_t row = 0; row < rows; ++row) {
            const uint8_t* const values = x.values + row * x.value_stride + index * group;
            int32x4_t left = vdupq_n_s32(0);
            int32x4_t right = vdupq_n_s32(0);
#pragma GCC unroll 2
            for (int word = 0; word < words; word += 4) {
                const int8x16_t value = load_signed(values + word * columns_per_word);
                left = vdotq_laneq_s32(left, w0[word], value, 0);
                right = vdotq_laneq_s32(right, w1[word], value, 0);
                left = vdotq_laneq_s32(left, w0[word + 1], value, 1);
                right = vdotq_laneq_s32(right, w1[word + 1], value, 1);
                left = vdotq_laneq_s32(left, w0[word + 2], value, 2);
                right = vdotq_laneq_s32(right, w1[word + 2], value, 2);
                left = vdotq_laneq_s32(left, w0[word + 3], value, 3);
                right = vdotq_laneq_s32(right, w1[word + 3], value, 3);
            }
            add_products(left, right, scales, x.scales[row * x.scale_stride + index * group / block_size],
                         x.sums[row * x.sum_stride + index], sums + row * panel_rows);
        }
    }
}

}  // namespace

const Kernels neon_kernels = {"neon",    panel_rows, row_tile,       most_few_rows, pack<F32>,
                              pack<F16>, pack<BF16>, multiply_float, format,        gelu};

}  // namespace instructblip::gemm
#endif
