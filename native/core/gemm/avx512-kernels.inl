// What the kernels with AVX-512 and VNNI, and those with AMX, have in common: panels of 32 rows; whole numbers as
// 0..255 times -127..127, four columns at a time, or in 16 bits, two columns at a time.

using Vec = __m512;
constexpr int64_t lanes = 16;
constexpr int row_tile = 12;
constexpr int quantized_row_tile = 6;

Vec load(const float* from) {
    return _mm512_loadu_ps(from);
}
void store(float* to, Vec value) {
    _mm512_storeu_ps(to, value);
}
Vec set1(float value) {
    return _mm512_set1_ps(value);
}
Vec fma(Vec a, Vec b, Vec c) {
    return _mm512_fmadd_ps(a, b, c);
}
Vec mul(Vec a, Vec b) {
    return _mm512_mul_ps(a, b);
}
Vec sub(Vec a, Vec b) {
    return _mm512_sub_ps(a, b);
}
// What is no number is taken from the first argument.
Vec minimum(Vec a, Vec b) {
    return _mm512_min_ps(b, a);
}
Vec maximum(Vec a, Vec b) {
    return _mm512_max_ps(b, a);
}
Vec divide(Vec a, Vec b) {
    return _mm512_div_ps(a, b);
}
Vec absolute(Vec x) {
    return _mm512_abs_ps(x);
}
Vec rounded(Vec x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
Vec exponential2(Vec x) {
    return _mm512_scalef_ps(_mm512_set1_ps(1.0F), x);
}
Vec below_zero(Vec x, Vec then, Vec otherwise) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), otherwise, then);
}

#include "unpack-x86.inl"
#include "vector-kernels.inl"

// rows[i][j] ↔ rows[j][i], of 16 x 16 values of 32 bits.
inline __attribute__((always_inline)) void transpose(__m512i (&rows)[16]) {
    __m512i pairs[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        rows[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
        rows[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
        rows[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        rows[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    // Now each quarter of rows[4 g + c] holds column 4 q + c of rows 4 g..4 g + 3.
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
        const __m512i low01 = _mm512_shuffle_i32x4(rows[c], rows[4 + c], 0x88);
        const __m512i high01 = _mm512_shuffle_i32x4(rows[c], rows[4 + c], 0xdd);
        const __m512i low23 = _mm512_shuffle_i32x4(rows[8 + c], rows[12 + c], 0x88);
        const __m512i high23 = _mm512_shuffle_i32x4(rows[8 + c], rows[12 + c], 0xdd);
        pairs[c] = _mm512_shuffle_i32x4(low01, low23, 0x88);
        pairs[8 + c] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
        pairs[4 + c] = _mm512_shuffle_i32x4(high01, high23, 0x88);
        pairs[12 + c] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) rows[i] = pairs[i];
}

struct F32 {
    static constexpr size_t bytes = 4;
    static __m512i read(const uint8_t* from, __mmask16 mask) { return _mm512_maskz_loadu_epi32(mask, from); }
};
struct F16 {
    static constexpr size_t bytes = 2;
    static __m512i read(const uint8_t* from, __mmask16 mask) {
        return _mm512_castps_si512(_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, from)));
    }
    static Vec any_floats(__m512i words) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words)); }
    static Vec low_floats(__m512i words) { return high_floats(_mm512_slli_epi32(words, 16)); }
    static Vec high_floats(__m512i words) {
        // The exponent, five bits, at the lower end of that of a float, which counts from 112 less.
        const __m512i bits =
            _mm512_and_si512(_mm512_srai_epi32(words, 3), _mm512_set1_epi32(static_cast<int>(0x8fffe000)));
        return mul(_mm512_castsi512_ps(bits), set1(0x1p112F));
    }
};
struct BF16 {
    static constexpr size_t bytes = 2;
    static __m512i read(const uint8_t* from, __mmask16 mask) {
        return _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from)), 16);
    }
    static Vec any_floats(__m512i words) { return low_floats(words); }
    static Vec low_floats(__m512i words) { return _mm512_castsi512_ps(_mm512_slli_epi32(words, 16)); }
    static Vec high_floats(__m512i words) {
        return _mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32(static_cast<int>(0xffff0000))));
    }
};

template <class Type>
void pack(const WeightRows& rows, int64_t column, int64_t columns, float* panel) {
    for (int64_t first = 0; first < panel_rows; first += lanes) {
        for (int64_t j = 0; j < columns; j += lanes) {
            const int64_t count = columns - j < lanes ? columns - j : lanes;
            const auto mask = static_cast<__mmask16>((1U << count) - 1);
            __m512i block[16];
            for (int64_t i = 0; i < lanes; ++i) {
                block[i] = Type::read(row_of(rows, first + i) + (column + j) * Type::bytes, mask);
            }
            transpose(block);
            float* const to = panel + j * panel_rows + first;
            for (int64_t i = 0; i < count; ++i) _mm512_storeu_si512(to + i * panel_rows, block[i]);
        }
    }
}

// Values [K/4,panel,4].
constexpr int64_t columns_per_word = 4;

template <class Type>
void unpack_values(const WeightRows& rows, int64_t first, int64_t column, int64_t columns, uint8_t* to) {
    __m512i block[16];
    for (int64_t i = 0; i < lanes; ++i) {
        __m256i values[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        Type::values(row_of(rows, first + i), column, columns, values);
        block[i] = _mm512_inserti64x4(_mm512_castsi256_si512(values[0]), values[1], 1);
    }
    transpose(block);
    for (int64_t i = 0; i < columns / 4; ++i) _mm512_storeu_si512(to + i * panel_rows * 4, block[i]);
}

// 128 columns are 64 bytes, in whose halves columns of low bits stand beside those of high bits: they part when they
// lie where they belong, so that there is half as much to transpose.
template <>
constexpr int64_t columns_at_once<Q4_K> = 128;
template <>
void unpack_values<Q4_K>(const WeightRows& rows, int64_t first, int64_t column, int64_t, uint8_t* to) {
    const int64_t byte = column / 256 * 144 + 16 + column % 256 / 2;
    __m512i block[16];
#pragma GCC unroll 16
    for (int64_t i = 0; i < lanes; ++i) block[i] = _mm512_loadu_si512(row_of(rows, first + i) + byte);
    transpose(block);
    const __m512i four_bits = _mm512_set1_epi8(15);
#pragma GCC unroll 16
    for (int64_t i = 0; i < lanes; ++i) {
        uint8_t* const low = to + (i / 8 * 16 + i % 8) * panel_rows * 4;
        _mm512_storeu_si512(low, _mm512_and_si512(block[i], four_bits));
        _mm512_storeu_si512(low + 8 * panel_rows * 4, _mm512_and_si512(_mm512_srli_epi16(block[i], 4), four_bits));
    }
}

template <class Type>
void unpack_scales(const WeightRows& rows, int64_t first, int64_t column, int64_t groups, float* scales, float* mins) {
    __m512i block[16];
    for (int64_t i = 0; i < lanes; ++i) {
        const Eight eight = Type::eight(row_of(rows, first + i), column, groups * Type::group);
        block[i] = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_castps_si256(eight.scales)),
                                      _mm256_castps_si256(eight.mins), 1);
    }
    transpose(block);
    for (int64_t i = 0; i < groups; ++i) {
        _mm512_storeu_si512(scales + i * panel_rows, block[i]);
        _mm512_storeu_si512(mins + i * panel_rows, block[8 + i]);
    }
}

// The numbers of a product: bytes, of which those of weights are 0..255, or 16 bits, all around zero. `limit`: of x,
// and of weights where they are rounded. `zero`: what stands for zero in the weights; 0: each group has a minimum.
template <int zero_value>
struct Narrow {
    static constexpr float limit = 127;
    static constexpr int64_t columns = 4;
    static constexpr int zero = zero_value;
    static constexpr bool has_mins = zero == 0;
    static __m512i add_products(__m512i sum, __m512i w, __m512i x) { return _mm512_dpbusd_epi32(sum, w, x); }
};
struct Wide {
    static constexpr float limit = 8191;  // the sum of 32 products is just less than 2^31
    static constexpr int64_t columns = 2;
    static constexpr int zero = 0;
    static constexpr bool has_mins = false;
    static __m512i add_products(__m512i sum, __m512i w, __m512i x) { return _mm512_dpwssd_epi32(sum, w, x); }
};

// 32 numbers as whole ones, the largest of which is `limit`.
struct WholeBlock {
    __m512i q0;
    __m512i q1;
    float scale;

    WholeBlock(const float* x, float limit) {
        const Vec x0 = load(x);
        const Vec x1 = load(x + lanes);
        // As whole numbers, because there infinity, and above it what is no number, are the largest.
        const __m512i largest = _mm512_max_epi32(_mm512_castps_si512(absolute(x0)), _mm512_castps_si512(absolute(x1)));
        const float most = _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(_mm512_reduce_max_epi32(largest))));
        const Vec factor = set1(most > 0 ? limit / most : 0.0F);
        q0 = _mm512_cvtps_epi32(mul(x0, factor));
        q1 = _mm512_cvtps_epi32(mul(x1, factor));
        scale = most / limit;
    }
};

// The sum of a group of x: for minima as a float; or, where all weights stand for what they are above `zero`, the whole
// number from which sums of products begin, so that they need nothing more.
template <class Numbers>
void store_sum(float scale, int32_t sum, float* to) {
    if constexpr (Numbers::zero == 0) {
        *to = scale * static_cast<float>(sum);
    } else {
        const auto start = static_cast<int32_t>(int64_t{-Numbers::zero} * sum);  // of what is not finite anything
        __builtin_memcpy(to, &start, sizeof(start));
    }
}

template <class Numbers>
void quantize_narrow(const float* x, int64_t columns, int64_t group, uint8_t* values, float* scales, float* sums) {
    for (int64_t j = 0; j < columns; j += block_size) {
        const auto [q0, q1, scale] = WholeBlock(x + j, Numbers::limit);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(values + j), _mm512_cvtsepi32_epi8(q0));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(values + j + lanes), _mm512_cvtsepi32_epi8(q1));
        scales[j / block_size] = scale;
        if (group == block_size) {
            store_sum<Numbers>(scale, _mm512_reduce_add_epi32(_mm512_add_epi32(q0, q1)), sums + j / group);
        } else {
            store_sum<Numbers>(scale, _mm512_reduce_add_epi32(q0), sums + j / group);
            store_sum<Numbers>(scale, _mm512_reduce_add_epi32(q1), sums + j / group + 1);
        }
    }
}

void quantize_wide(const float* x, int64_t columns, int64_t, uint8_t* values, float* scales, float*) {
    for (int64_t j = 0; j < columns; j += block_size) {
        const auto [q0, q1, scale] = WholeBlock(x + j, Wide::limit);
        auto* const to = reinterpret_cast<__m256i*>(values + 2 * j);
        _mm256_storeu_si256(to, _mm512_cvtsepi32_epi16(q0));
        _mm256_storeu_si256(to + 1, _mm512_cvtsepi32_epi16(q1));
        scales[j / block_size] = scale;
    }
}

template <class Numbers, int rows, int64_t group>
void multiply_quantized_rows(const QuantizedPanel& panel, int64_t columns, const QuantizedRows& x, float* sums) {
    Vec left[rows];
    Vec right[rows];
#pragma GCC unroll 8
    for (int row = 0; row < rows; ++row) {
        left[row] = load(sums + row * panel_rows);
        right[row] = load(sums + row * panel_rows + lanes);
    }
    const uint8_t* weights = panel.values;
    for (int64_t j = 0; j < columns; j += group) {
        __m512i products0[rows];
        __m512i products1[rows];
#pragma GCC unroll 8
        for (int row = 0; row < rows; ++row) {
            int32_t start = 0;
            if constexpr (Numbers::zero != 0) {
                __builtin_memcpy(&start, x.sums + row * x.sum_stride + j / group, sizeof(start));
            }
            products0[row] = products1[row] = _mm512_set1_epi32(start);
        }
#pragma GCC unroll 8
        for (int64_t i = 0; i < group; i += Numbers::columns, weights += panel_rows * 4) {
            const __m512i w0 = _mm512_loadu_si512(weights);
            const __m512i w1 = _mm512_loadu_si512(weights + 64);
#pragma GCC unroll 8
            for (int row = 0; row < rows; ++row) {
                int32_t word;
                __builtin_memcpy(&word, x.values + row * x.value_stride + (j + i) * 4 / Numbers::columns, sizeof(word));
                const __m512i value = _mm512_set1_epi32(word);
                products0[row] = Numbers::add_products(products0[row], w0, value);
                products1[row] = Numbers::add_products(products1[row], w1, value);
            }
        }
        const int64_t index = j / group;
        const Vec scale0 = load(panel.scales + index * panel_rows);
        const Vec scale1 = load(panel.scales + index * panel_rows + lanes);
#pragma GCC unroll 8
        for (int row = 0; row < rows; ++row) {
            const Vec scale = set1(x.scales[row * x.scale_stride + j / block_size]);
            left[row] = fma(_mm512_cvtepi32_ps(products0[row]), mul(scale0, scale), left[row]);
            right[row] = fma(_mm512_cvtepi32_ps(products1[row]), mul(scale1, scale), right[row]);
        }
        if constexpr (!Numbers::has_mins) continue;
        const Vec min0 = load(panel.mins + index * panel_rows);
        const Vec min1 = load(panel.mins + index * panel_rows + lanes);
#pragma GCC unroll 8
        for (int row = 0; row < rows; ++row) {
            const Vec sum = set1(x.sums[row * x.sum_stride + index]);
            left[row] = _mm512_fnmadd_ps(min0, sum, left[row]);
            right[row] = _mm512_fnmadd_ps(min1, sum, right[row]);
        }
    }
#pragma GCC unroll 8
    for (int row = 0; row < rows; ++row) {
        store(sums + row * panel_rows, left[row]);
        store(sums + row * panel_rows + lanes, right[row]);
    }
}

#include "few-rows-avx512.inl"
#include "few-rows.inl"
#include "quantized-kernels.inl"

template <class Type>
constexpr NumberKind numbers_of = {1, quantized_row_tile, quantize_narrow<Narrow<Type::zero>>,
                                   multiply_quantized<Narrow<Type::zero>, Type::group>};
constexpr NumberKind wide_numbers = {2, quantized_row_tile, quantize_wide, multiply_quantized<Wide, block_size>};

void quantize_few(const float* x, int64_t columns, int64_t group, uint8_t* values, float* scales, float* sums) {
    quantize_narrow<Narrow<0>>(x, columns, group, values, scales, sums);
    arrange_row(values, columns);
}
template <class Type>
constexpr FewRows few_rows = {1, quantize_few, multiply_few<Type>};

#include "quantized-formats.inl"

using Words = __m512i;
Words sizes(Words words) {
    return _mm512_and_si512(words, _mm512_set1_epi16(0x7fff));
}
Words larger(Words a, Words b) {
    return _mm512_max_epu16(a, b);
}
Words high_half(Words words) {
    return _mm512_srli_epi32(words, 16);
}
Words whole_pair(Vec low, Vec high) {
    const __m512i second = _mm512_slli_epi32(_mm512_cvtps_epi32(high), 16);
    return _mm512_mask_blend_epi16(0x55555555, second, _mm512_cvtps_epi32(low));
}
void store_words(float* to, Words words) {
    _mm512_storeu_si512(to, words);
}
void read_words(const WeightRows& rows, int64_t first, int64_t byte, Words (&words)[16]) {
    for (int64_t i = 0; i < lanes; ++i) words[i] = _mm512_loadu_si512(row_of(rows, first + i) + byte);
    transpose(words);
}

#include "half-floats.inl"
