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
        for (Vec& sum : sums[k]) sum = _mm256_setzero_ps();
    }
    for (int64_t column = 0; column < columns; column += step) {
        const int64_t here = columns - column < step ? columns - column : step;
        if (column % 256 == 0) prefetch<Type>(row, column);
        const Eight eight = Type::eight(row, column, here);
        Vec products[count];
#pragma GCC unroll 8
        for (int k = 0; k < count; ++k) {
            const float* const x_sums = x.sums + k * x.sum_stride + column / Type::group;
            products[k] = mul(eight.scales, scales_of<Type>(x, k, column, here / Type::group));
            sums[k][0] = _mm256_fnmadd_ps(eight.mins, load_first(x_sums, here / Type::group), sums[k][0]);
        }
#pragma GCC unroll 4
        for (int64_t j = 0; j < step; j += 64) {
            if (j >= here) break;
            const int64_t width = here - j < 64 ? 32 : 64;
            __m256i weights[2];
            weights[1] = _mm256_setzero_si256();
            Type::values(row, column + j, width, weights);
#pragma GCC unroll 2
            for (int64_t half = 0; half < 2; ++half) {
                if (32 * half >= width) break;
                const __m256i pair[2] = {words(weights[half], false), words(weights[half], true)};
                const int64_t at = j + 32 * half;
#pragma GCC unroll 8
                for (int k = 0; k < count; ++k) {
                    const uint8_t* const values = x.values + k * x.value_stride + (column + at) * 2;
                    Vec& sum = sums[k][at / 32 % chains];
                    sum = add_columns<Type>(pair, values, products[k], at / Type::group, sum);
                }
            }
        }
    }
#pragma GCC unroll 8
    for (int k = 0; k < count; ++k) {
        y[k * y_stride] = total(_mm256_add_ps(sums[k][0], sums[k][1]));
    }
}
