// Few rows of x with AVX2: eight groups of columns at a time, in 16 bits, summed in 8 lanes.

// The first `count` of eight numbers, then zeros.
Vec load_first(const float* from, int64_t count) {
    const __m256i order = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), order));
}

// Scales of x for eight groups.
template <class Type>
Vec scales_of(const QuantizedRows& x, int64_t row, int64_t column, int64_t groups) {
    const float* const from = x.scales + row * x.scale_stride + column / block_size;
    if constexpr (Type::group == block_size) return load_first(from, groups);
    return _mm256_permutevar8x32_ps(load_first(from, groups / 2), _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
}

Vec spread(Vec values, int64_t index) {
    return _mm256_permutevar8x32_ps(values, _mm256_set1_epi32(static_cast<int>(index)));
}

__m256i words(__m256i bytes, bool second) {
    return _mm256_cvtepu8_epi16(second ? _mm256_extracti128_si256(bytes, 1) : _mm256_castsi256_si128(bytes));
}

// 32 columns of weights times those of x, scaled: `index` is that of their first group.
template <class Type>
Vec add_columns(const __m256i (&weights)[2], const uint8_t* x, Vec scales, int64_t index, Vec sum) {
    const __m256i low = _mm256_madd_epi16(weights[0], load256(x));
    const __m256i high = _mm256_madd_epi16(weights[1], load256(x + 32));
    if constexpr (Type::group == block_size) {
        return fma(_mm256_cvtepi32_ps(_mm256_add_epi32(low, high)), spread(scales, index), sum);
    }
    sum = fma(_mm256_cvtepi32_ps(low), spread(scales, index), sum);
    return fma(_mm256_cvtepi32_ps(high), spread(scales, index + 1), sum);
}

float total(Vec x) {
    __m128 value = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    value = _mm_add_ps(value, _mm_movehl_ps(value, value));
    return _mm_cvtss_f32(_mm_add_ss(value, _mm_movehdup_ps(value)));
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
        for (int k = 0; k < count; ++k) sums[i][k] = _mm256_setzero_ps();
    }
    for (int64_t column = 0; column < columns; column += step) {
        const int64_t here = columns - column < step ? columns - column : step;
        Vec products[together][count];
#pragma GCC unroll 8
        for (int i = 0; i < together; ++i) {
            const uint8_t* const weights = row + static_cast<size_t>(i) * stride;
            if (column % 256 == 0) prefetch<Type>(weights, column);
            const Eight eight = Type::eight(weights, column, here);
#pragma GCC unroll 8
            for (int k = 0; k < count; ++k) {
                const float* const x_sums = x.sums + k * x.sum_stride + column / Type::group;
                products[i][k] = mul(eight.scales, scales_of<Type>(x, k, column, here / Type::group));
                sums[i][k] = _mm256_fnmadd_ps(eight.mins, load_first(x_sums, here / Type::group), sums[i][k]);
            }
        }
#pragma GCC unroll 4
        for (int64_t j = 0; j < step; j += 64) {
            if (j >= here) break;
            const int64_t width = here - j < 64 ? 32 : 64;
            __m256i weights[together][2];
#pragma GCC unroll 8
            for (int i = 0; i < together; ++i) {
                weights[i][1] = _mm256_setzero_si256();
                Type::values(row + static_cast<size_t>(i) * stride, column + j, width, weights[i]);
            }
#pragma GCC unroll 2
            for (int64_t half = 0; half < 2; ++half) {
                if (32 * half >= width) break;
#pragma GCC unroll 8
                for (int i = 0; i < together; ++i) {
                    const __m256i pair[2] = {words(weights[i][half], false), words(weights[i][half], true)};
#pragma GCC unroll 8
                    for (int k = 0; k < count; ++k) {
                        const uint8_t* const values = x.values + k * x.value_stride + (column + j + 32 * half) * 2;
                        sums[i][k] =
                            add_columns<Type>(pair, values, products[i][k], (j + 32 * half) / Type::group, sums[i][k]);
                    }
                }
            }
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < together; ++i) {
#pragma GCC unroll 8
        for (int k = 0; k < count; ++k) y[k * y_stride + i] = total(sums[i][k]);
    }
}
