// Few rows of x with AVX-512: 64 columns at a time, summed in 16 lanes. few-rows.inl calls it.

// 64 columns as bytes in their order.
template <class Type>
struct Values {
    static __m512i read(const uint8_t* row, int64_t column, int64_t columns) {
        __m256i values[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        Type::values(row, column, columns, values);
        return _mm512_inserti64x4(_mm512_castsi256_si512(values[0]), values[1], 1);
    }
};
template <>
struct Values<Q4_K> {
    static __m512i read(const uint8_t* row, int64_t column, int64_t) {
        const __m256i bytes = load256(row + column / 256 * 144 + 16 + column % 256 / 2);
        const __m512i shifts = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(4), 1);
        const __m512i both = _mm512_srlv_epi16(_mm512_broadcast_i64x4(bytes), shifts);
        return _mm512_and_si512(both, _mm512_set1_epi8(15));
    }
};

// Scales of 256 columns times those of x, spread over the lanes of 64 columns; and what is to be subtracted.
template <class Type, int64_t group = Type::group>
struct Scales {
    Eight eight;
    Scales(const uint8_t* row, int64_t column, int64_t columns) : eight(Type::eight(row, column, columns)) {}

    __m512 times(const QuantizedRows& x, int64_t row, int64_t column, __mmask8 blocks) const {
        const float* const from = x.scales + row * x.scale_stride + column / block_size;
        return _mm512_castps256_ps512(_mm256_mul_ps(eight.scales, _mm256_maskz_loadu_ps(blocks, from)));
    }
    static __m512 spread(__m512 scales, int64_t pair) {
        const __m512i lanes_of_pair = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi32(1), 1);
        return _mm512_permutexvar_ps(_mm512_add_epi32(lanes_of_pair, _mm512_set1_epi32(static_cast<int>(2 * pair))),
                                     scales);
    }
    Vec subtract_mins(const QuantizedRows& x, int64_t row, int64_t column, __mmask8 blocks, Vec sum) const {
        const float* const from = x.sums + row * x.sum_stride + column / block_size;
        return _mm512_fnmadd_ps(_mm512_zextps256_ps512(eight.mins),
                                _mm512_zextps256_ps512(_mm256_maskz_loadu_ps(blocks, from)), sum);
    }
};
template <>
struct Scales<Q6_K, 16> {
    Vec scales;
    Scales(const uint8_t* row, int64_t column, int64_t) {
        const uint8_t* const block = row + column / 256 * 210;
        scales = mul(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load128(block + 192))), set1(half(block + 208)));
    }

    __m512 times(const QuantizedRows& x, int64_t row, int64_t column, __mmask8) const {
        const __m256 of_blocks = _mm256_loadu_ps(x.scales + row * x.scale_stride + column / block_size);
        const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
        return mul(scales, _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(of_blocks)));
    }
    static __m512 spread(__m512 scales, int64_t pair) {
        const __m512i quarters = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
        return _mm512_permutexvar_ps(_mm512_add_epi32(quarters, _mm512_set1_epi32(static_cast<int>(4 * pair))), scales);
    }
    Vec subtract_mins(const QuantizedRows& x, int64_t row, int64_t column, __mmask8, Vec sum) const {
        return _mm512_fnmadd_ps(mul(scales, set1(32.0F)), load(x.sums + row * x.sum_stride + column / 16), sum);
    }
};

// `together` rows of weights, so that sums do not wait for each other where x has fewer rows than that takes.
template <class Type, int count, int together>
void multiply_rows_together(const uint8_t* row, size_t stride, int64_t columns, const QuantizedRows& x, float* y,
                            int64_t y_stride) {
    Vec sums[together][count];
#pragma GCC unroll 8
    for (int i = 0; i < together; ++i) {
#pragma GCC unroll 8
        for (int k = 0; k < count; ++k) sums[i][k] = _mm512_setzero_ps();
    }
    for (int64_t column = 0; column < columns; column += 256) {
        const int64_t here = columns - column < 256 ? columns - column : 256;
        const auto blocks = static_cast<__mmask8>((1U << (here / 32)) - 1);
        Vec products[together][count];
#pragma GCC unroll 8
        for (int i = 0; i < together; ++i) {
            prefetch<Type>(row + static_cast<size_t>(i) * stride, column);
            const Scales<Type> scales(row + static_cast<size_t>(i) * stride, column, here);
#pragma GCC unroll 8
            for (int k = 0; k < count; ++k) {
                products[i][k] = scales.times(x, k, column, blocks);
                sums[i][k] = scales.subtract_mins(x, k, column, blocks, sums[i][k]);
            }
        }
#pragma GCC unroll 4
        for (int64_t pair = 0; pair < 4; ++pair) {
            const int64_t first = column + 64 * pair;
            if (first >= columns) break;
            const int64_t width = columns - first < 64 ? 32 : 64;
            const __mmask64 mask = width == 64 ? ~__mmask64{0} : __mmask64{0xffffffff};
            __m512i weights[together];
#pragma GCC unroll 8
            for (int i = 0; i < together; ++i) {
                weights[i] = Values<Type>::read(row + static_cast<size_t>(i) * stride, first, width);
            }
#pragma GCC unroll 8
            for (int k = 0; k < count; ++k) {
                const __m512i values = _mm512_maskz_loadu_epi8(mask, x.values + k * x.value_stride + first);
#pragma GCC unroll 8
                for (int i = 0; i < together; ++i) {
                    const __m512i dots = _mm512_dpbusd_epi32(_mm512_setzero_si512(), weights[i], values);
                    const Vec scale = Scales<Type>::spread(products[i][k], pair);
                    sums[i][k] = fma(_mm512_cvtepi32_ps(dots), scale, sums[i][k]);
                }
            }
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < together; ++i) {
#pragma GCC unroll 8
        for (int k = 0; k < count; ++k) y[k * y_stride + i] = _mm512_reduce_add_ps(sums[i][k]);
    }
}
