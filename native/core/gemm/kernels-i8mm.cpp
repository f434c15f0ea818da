// AArch64 with products of matrices of bytes (i8mm).
#include "kernels.h"

#ifdef INSTRUCTBLIP_GEMM_I8MM
#include <arm_neon.h>
#include <ggml.h>

namespace instructblip::gemm {
namespace {

#include "neon-kernels.inl"

// Rows of weights and of x in pairs, eight columns at a time. A group of eight rows of weights fills half of the
// registers; rows of x pass by, so a tile's size is free.
template <int64_t group>
void multiply_quantized_by(const QuantizedPanel& panel, int64_t columns, const QuantizedRows x, int64_t rows,
                           float* sums) {
    constexpr int eights = group / 8;
    const uint8_t* weights = panel.values;
    for (int64_t index = 0; index < columns / group; ++index) {
        int8x16_t w[eights][4];
#pragma GCC unroll 4
        for (int eight = 0; eight < eights; ++eight, weights += panel_rows * 8) {
#pragma GCC unroll 2
            for (int half = 0; half < 2; ++half) {
                const int32x4_t first = vreinterpretq_s32_s8(load_signed(weights + 16 * half));
                const int32x4_t second = vreinterpretq_s32_s8(load_signed(weights + 16 * half + panel_rows * 4));
                w[eight][2 * half] = vreinterpretq_s8_s32(vzip1q_s32(first, second));
                w[eight][2 * half + 1] = vreinterpretq_s8_s32(vzip2q_s32(first, second));
            }
        }
        const GroupScales scales = group_scales(panel, index);
        const auto add = [&](int64_t row, int64x2_t left, int64x2_t right) {
            add_products(vreinterpretq_s32_s64(left), vreinterpretq_s32_s64(right), scales,
                         x.scales[row * x.scale_stride + index * group / block_size],
                         x.sums[row * x.sum_stride + index], sums + row * panel_rows);
        };
        for (int64_t row = 0; row < rows; row += 2) {
            const bool is_pair = row + 1 < rows;
            const uint8_t* const values = x.values + row * x.value_stride + index * group;
            const uint8_t* const others = is_pair ? values + x.value_stride : values;
            int32x4_t products[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
#pragma GCC unroll 2
            for (int eight = 0; eight < eights; eight += 2) {
                const int64x2_t value = vreinterpretq_s64_s8(load_signed(values + 8 * eight));
                const int64x2_t other = vreinterpretq_s64_s8(load_signed(others + 8 * eight));
                const int8x16_t first = vreinterpretq_s8_s64(vzip1q_s64(value, other));
                const int8x16_t second = vreinterpretq_s8_s64(vzip2q_s64(value, other));
#pragma GCC unroll 4
                for (int i = 0; i < 4; ++i) products[i] = vmmlaq_s32(products[i], first, w[eight][i]);
#pragma GCC unroll 4
                for (int i = 0; i < 4; ++i) products[i] = vmmlaq_s32(products[i], second, w[eight + 1][i]);
            }
            int64x2_t pairs[4];
#pragma GCC unroll 4
            for (int i = 0; i < 4; ++i) pairs[i] = vreinterpretq_s64_s32(products[i]);
            add(row, vzip1q_s64(pairs[0], pairs[1]), vzip1q_s64(pairs[2], pairs[3]));
            if (is_pair) add(row + 1, vzip2q_s64(pairs[0], pairs[1]), vzip2q_s64(pairs[2], pairs[3]));
        }
    }
}

}  // namespace

const Kernels i8mm_kernels = {"i8mm",    panel_rows, row_tile,       most_few_rows, pack<F32>,
                              pack<F16>, pack<BF16>, multiply_float, format,        gelu};

}  // namespace instructblip::gemm
#endif
