// Few rows of x with AVX-512: 256 columns at a time, summed in 16 lanes. A lane sums columns of one group only, so that
// whole numbers are added up as long as they have a scale in common: of each eight bytes ("word") of a group's 32, the
// first of all eight groups are multiplied together, then the second, the third, the fourth. x is arranged so when it
// is quantized. few-rows.inl calls it.

constexpr int64_t few_columns = 256;
constexpr int words_of_group = 4;

// Values of 4 x 64 columns, two groups each → words 0, 1, 2 and 3 of all groups, in the order 0, 2, 1, 3, 4, 6, 5, 7.
void arrange(__m512i (&values)[words_of_group]) {
    const __m512i even01 = _mm512_unpacklo_epi64(values[0], values[1]);
    const __m512i odd01 = _mm512_unpackhi_epi64(values[0], values[1]);
    const __m512i even23 = _mm512_unpacklo_epi64(values[2], values[3]);
    const __m512i odd23 = _mm512_unpackhi_epi64(values[2], values[3]);
    values[0] = _mm512_shuffle_i64x2(even01, even23, 0x88);
    values[1] = _mm512_shuffle_i64x2(odd01, odd23, 0x88);
    values[2] = _mm512_shuffle_i64x2(even01, even23, 0xdd);
    values[3] = _mm512_shuffle_i64x2(odd01, odd23, 0xdd);
}

void arrange_row(uint8_t* row, int64_t columns) {
    for (int64_t column = 0; column < columns; column += few_columns) {
        __m512i values[words_of_group];
        for (int64_t i = 0; i < words_of_group; ++i) {
            const int64_t rest = columns - column - 64 * i;
            const __mmask64 mask = rest >= 64 ? ~__mmask64{0} : rest > 0 ? (__mmask64{1} << rest) - 1 : 0;
            values[i] = _mm512_maskz_loadu_epi8(mask, row + column + 64 * i);
        }
        arrange(values);
        for (int64_t i = 0; i < words_of_group; ++i) _mm512_storeu_si512(row + column + 64 * i, values[i]);
    }
}

// 64 columns as bytes in their order; behind `columns` zeros.
template <class Type>
struct Values {
    static __m512i read(const uint8_t* row, int64_t column, int64_t columns) {
        __m256i values[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        if (columns > 0) Type::values(row, column, columns < 64 ? columns : 64, values);
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

// Eight numbers, one for each group → the lanes of their words.
Vec of_groups(__m256 eight) {
    return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 2, 2, 1, 1, 3, 3, 4, 4, 6, 6, 5, 5, 7, 7),
                                 _mm512_castps256_ps512(eight));
}

// Some 256 columns of one row of weights.
template <class Type, int64_t group = Type::group>
struct Chunk {
    __m512i words[words_of_group];
    Eight eight;

    __attribute__((always_inline)) Chunk(const uint8_t* row, int64_t column, int64_t columns)
        : eight(Type::eight(row, column, columns)) {
#pragma GCC unroll 4
        for (int64_t i = 0; i < words_of_group; ++i)
            words[i] = Values<Type>::read(row, column + 64 * i, columns - 64 * i);
        arrange(words);
    }

    // sum + this · x. `blocks`: which blocks of 32 columns there are.
    Vec add_product(const QuantizedRows& x, int64_t row, int64_t column, __mmask8 blocks, Vec sum) const {
        const uint8_t* const values = x.values + row * x.value_stride + column;
        const int64_t block = column / block_size;
        const __m256 scales = _mm256_maskz_loadu_ps(blocks, x.scales + row * x.scale_stride + block);
        const __m256 x_sums = _mm256_maskz_loadu_ps(blocks, x.sums + row * x.sum_stride + block);
        __m512i dots = _mm512_setzero_si512();
#pragma GCC unroll 4
        for (int i = 0; i < words_of_group; ++i) {
            dots = _mm512_dpbusd_epi32(dots, words[i], _mm512_loadu_si512(values + 64 * i));
        }
        sum = _mm512_fnmadd_ps(_mm512_zextps256_ps512(eight.mins), _mm512_zextps256_ps512(x_sums), sum);
        return fma(_mm512_cvtepi32_ps(dots), of_groups(_mm256_mul_ps(eight.scales, scales)), sum);
    }
};

// Groups of 16: words 0 and 1 are of the first of two, 2 and 3 of the second.
template <>
struct Chunk<Q6_K, 16> {
    __m512i words[words_of_group];
    Vec scales;

    __attribute__((always_inline)) Chunk(const uint8_t* row, int64_t column, int64_t) {
        const uint8_t* const block = row + column / 256 * 210;
        scales = mul(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load128(block + 192))), set1(half(block + 208)));
#pragma GCC unroll 4
        for (int64_t i = 0; i < words_of_group; ++i) words[i] = Values<Q6_K>::read(row, column + 64 * i, 64);
        arrange(words);
    }

    Vec add_product(const QuantizedRows& x, int64_t row, int64_t column, __mmask8, Vec sum) const {
        const uint8_t* const values = x.values + row * x.value_stride + column;
        const Vec x_scales = of_groups(_mm256_loadu_ps(x.scales + row * x.scale_stride + column / block_size));
        const Vec firsts =
            _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 4, 4, 2, 2, 6, 6, 8, 8, 12, 12, 10, 10, 14, 14), scales);
        const Vec seconds =
            _mm512_permutexvar_ps(_mm512_setr_epi32(1, 1, 5, 5, 3, 3, 7, 7, 9, 9, 13, 13, 11, 11, 15, 15), scales);
        const __m512i none = _mm512_setzero_si512();
        const __m512i first = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(none, words[0], _mm512_loadu_si512(values)),
                                                  words[1], _mm512_loadu_si512(values + 64));
        const __m512i second =
            _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(none, words[2], _mm512_loadu_si512(values + 128)), words[3],
                                _mm512_loadu_si512(values + 192));
        const Vec both = fma(_mm512_cvtepi32_ps(second), seconds, mul(_mm512_cvtepi32_ps(first), firsts));
        sum = _mm512_fnmadd_ps(mul(scales, set1(32.0F)), load(x.sums + row * x.sum_stride + column / 16), sum);
        return fma(both, x_scales, sum);
    }
};

template <class Type, int count>
void multiply_row(const uint8_t* row, int64_t columns, const QuantizedRows& x, float* y, int64_t y_stride) {
    Vec sums[count];
#pragma GCC unroll 8
    for (int k = 0; k < count; ++k) sums[k] = _mm512_setzero_ps();
    for (int64_t column = 0; column < columns; column += few_columns) {
        const int64_t here = columns - column < few_columns ? columns - column : few_columns;
        const auto blocks = static_cast<__mmask8>((1U << (here / block_size)) - 1);
        prefetch<Type>(row, column);
        const Chunk<Type> chunk(row, column, here);
#pragma GCC unroll 8
        for (int k = 0; k < count; ++k) sums[k] = chunk.add_product(x, k, column, blocks, sums[k]);
    }
#pragma GCC unroll 8
    for (int k = 0; k < count; ++k) y[k * y_stride] = _mm512_reduce_add_ps(sums[k]);
}
