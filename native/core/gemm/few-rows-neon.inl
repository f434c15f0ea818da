// Few rows of x with NEON: eight groups of columns at a time, summed in 4 lanes.

// The first `count` of eight numbers, then zeros.
Floats load_first(const float* from, int64_t count) {
    if (count >= 8) return {{load(from), load(from + lanes)}};
    float values[8] = {};
    for (int64_t i = 0; i < count; ++i) values[i] = from[i];
    return {{load(values), load(values + lanes)}};
}

// Scales of x for eight groups. Groups of 16 come eight at a time.
template <class Type>
Floats scales_of(const QuantizedRows& x, int64_t row, int64_t column, int64_t groups) {
    const float* const from = x.scales + row * x.scale_stride + column / block_size;
    if constexpr (Type::group == block_size) return load_first(from, groups);
    const Vec four = load(from);
    return {{vzip1q_f32(four, four), vzip2q_f32(four, four)}};
}

// 32 columns of weights times those of x, scaled: `scales` begin with that of their first group.
template <class Type>
Vec add_columns(const Bytes& weights, const uint8_t* x, const float* scales, Vec sum) {
    const int32x4_t none = vdupq_n_s32(0);
    const int8x16_t second = vreinterpretq_s8_u8(weights.val[1]);
    const int32x4_t low = vdotq_s32(none, vreinterpretq_s8_u8(weights.val[0]), load_signed(x));
    if constexpr (Type::group == block_size) {
        return vfmaq_n_f32(sum, vcvtq_f32_s32(vdotq_s32(low, second, load_signed(x + 16))), scales[0]);
    }
    const int32x4_t high = vdotq_s32(none, second, load_signed(x + 16));
    return vfmaq_n_f32(vfmaq_n_f32(sum, vcvtq_f32_s32(low), scales[0]), vcvtq_f32_s32(high), scales[1]);
}

// `together` rows of weights, so that sums do not wait for each other where x has fewer rows than that takes.
template <class Type, int count, int together>
void multiply_rows_together(const uint8_t* row, size_t stride, int64_t columns, const QuantizedRows& x, float* y,
                            int64_t y_stride) {
    constexpr int64_t step = 8 * Type::group;
    Vec sums[together][count];
#pragma GCC unroll 8
    for (int i = 0; i < together; ++i) {
#pragma GCC unroll 8
        for (int k = 0; k < count; ++k) sums[i][k] = set1(0);
    }
    for (int64_t column = 0; column < columns; column += step) {
        const int64_t here = columns - column < step ? columns - column : step;
        const int64_t groups = here / Type::group;
        float products[together][count][8];
#pragma GCC unroll 8
        for (int i = 0; i < together; ++i) {
            const uint8_t* const weights = row + static_cast<size_t>(i) * stride;
            if (column % 256 == 0) prefetch<Type>(weights, column);
            const Eight eight = Type::eight(weights, column, here);
#pragma GCC unroll 8
            for (int k = 0; k < count; ++k) {
                const Floats scales = scales_of<Type>(x, k, column, groups);
                const Floats x_sums = load_first(x.sums + k * x.sum_stride + column / Type::group, groups);
#pragma GCC unroll 2
                for (int half = 0; half < 2; ++half) {
                    store(products[i][k] + lanes * half, mul(eight.scales.val[half], scales.val[half]));
                    sums[i][k] = vfmsq_f32(sums[i][k], eight.mins.val[half], x_sums.val[half]);
                }
            }
        }
#pragma GCC unroll 4
        for (int64_t j = 0; j < step; j += 64) {
            if (j >= here) break;
            const int64_t width = here - j < 64 ? 32 : 64;
#pragma GCC unroll 8
            for (int i = 0; i < together; ++i) {
                Bytes weights[2];
                Type::values(row + static_cast<size_t>(i) * stride, column + j, width, weights);
#pragma GCC unroll 2
                for (int64_t half = 0; half < 2; ++half) {
                    if (32 * half >= width) break;
#pragma GCC unroll 8
                    for (int k = 0; k < count; ++k) {
                        sums[i][k] =
                            add_columns<Type>(weights[half], x.values + k * x.value_stride + column + j + 32 * half,
                                              products[i][k] + (j + 32 * half) / Type::group, sums[i][k]);
                    }
                }
            }
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < together; ++i) {
#pragma GCC unroll 8
        for (int k = 0; k < count; ++k) y[k * y_stride + i] = vaddvq_f32(sums[i][k]);
    }
}
