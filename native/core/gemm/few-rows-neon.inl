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

// Two sums for each row of x, so that additions do not wait for each other where there is one row: always two, so that
// a row's result is the same in any company.
template <class Type, int count>
void multiply_row(const uint8_t* row, int64_t columns, const QuantizedRows& x, float* y, int64_t y_stride) {
    constexpr int64_t step = 8 * Type::group;
    constexpr int64_t chains = 2;
    Vec sums[count][chains];
#pragma GCC unroll 8
    for (int k = 0; k < count; ++k) {
#pragma GCC unroll 2
        for (Vec& sum : sums[k]) sum = set1(0);
    }
    for (int64_t column = 0; column < columns; column += step) {
        const int64_t here = columns - column < step ? columns - column : step;
        const int64_t groups = here / Type::group;
        if (column % 256 == 0) prefetch<Type>(row, column);
        const Eight eight = Type::eight(row, column, here);
        float products[count][8];
#pragma GCC unroll 8
        for (int k = 0; k < count; ++k) {
            const Floats scales = scales_of<Type>(x, k, column, groups);
            const Floats x_sums = load_first(x.sums + k * x.sum_stride + column / Type::group, groups);
#pragma GCC unroll 2
            for (int half = 0; half < 2; ++half) {
                store(products[k] + lanes * half, mul(eight.scales.val[half], scales.val[half]));
                sums[k][half] = vfmsq_f32(sums[k][half], eight.mins.val[half], x_sums.val[half]);
            }
        }
#pragma GCC unroll 4
        for (int64_t j = 0; j < step; j += 64) {
            if (j >= here) break;
            const int64_t width = here - j < 64 ? 32 : 64;
            Bytes weights[2];
            Type::values(row, column + j, width, weights);
#pragma GCC unroll 2
            for (int64_t half = 0; half < 2; ++half) {
                if (32 * half >= width) break;
                const int64_t at = j + 32 * half;
#pragma GCC unroll 8
                for (int k = 0; k < count; ++k) {
                    Vec& sum = sums[k][half];
                    sum = add_columns<Type>(weights[half], x.values + k * x.value_stride + column + at,
                                            products[k] + at / Type::group, sum);
                }
            }
        }
    }
#pragma GCC unroll 8
    for (int k = 0; k < count; ++k) y[k * y_stride] = vaddvq_f32(vaddq_f32(sums[k][0], sums[k][1]));
}
