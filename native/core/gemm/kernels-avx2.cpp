// AVX2 with FMA and F16C: panels of 16 rows, whole numbers in 16 bits, two columns at a time. (Products of bytes would
// saturate: maddubs sums two of 255 * 127 in 16 bits.)
#include "kernels.h"

#ifdef INSTRUCTBLIP_GEMM_X86
#include <ggml.h>
#include <immintrin.h>

namespace instructblip::gemm {
namespace {

using Vec = __m256;
constexpr int64_t lanes = 8;
constexpr int row_tile = 6;
constexpr int quantized_row_tile = 3;

Vec load(const float* from) {
    return _mm256_loadu_ps(from);
}
void store(float* to, Vec value) {
    _mm256_storeu_ps(to, value);
}
Vec set1(float value) {
    return _mm256_set1_ps(value);
}
Vec fma(Vec a, Vec b, Vec c) {
    return _mm256_fmadd_ps(a, b, c);
}
Vec mul(Vec a, Vec b) {
    return _mm256_mul_ps(a, b);
}
Vec sub(Vec a, Vec b) {
    return _mm256_sub_ps(a, b);
}
// What is no number is taken from the first argument.
Vec minimum(Vec a, Vec b) {
    return _mm256_min_ps(b, a);
}
Vec maximum(Vec a, Vec b) {
    return _mm256_max_ps(b, a);
}
Vec divide(Vec a, Vec b) {
    return _mm256_div_ps(a, b);
}
Vec absolute(Vec x) {
    return _mm256_andnot_ps(set1(-0.0F), x);
}
Vec rounded(Vec x) {
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
Vec exponential2(Vec x) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}
Vec below_zero(Vec x, Vec then, Vec otherwise) {
    return _mm256_blendv_ps(otherwise, then, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ));
}

#include "unpack-x86.inl"
#include "vector-kernels.inl"

// rows[i][j] ↔ rows[j][i], of 8 x 8 values of 32 bits.
void transpose(__m256i (&rows)[8]) {
    __m256i pairs[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        pairs[i] = _mm256_unpacklo_epi32(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_epi32(rows[i], rows[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        rows[i] = _mm256_unpacklo_epi64(pairs[i], pairs[i + 2]);
        rows[i + 1] = _mm256_unpackhi_epi64(pairs[i], pairs[i + 2]);
        rows[i + 2] = _mm256_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        rows[i + 3] = _mm256_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
        pairs[c] = _mm256_permute2x128_si256(rows[c], rows[4 + c], 0x20);
        pairs[4 + c] = _mm256_permute2x128_si256(rows[c], rows[4 + c], 0x31);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) rows[i] = pairs[i];
}

struct F32 {
    static constexpr size_t bytes = 4;
    static __m256i read(const uint8_t* from) { return load256(from); }
};
struct F16 {
    static constexpr size_t bytes = 2;
    static __m256i read(const uint8_t* from) { return _mm256_castps_si256(_mm256_cvtph_ps(load128(from))); }
    static Vec any_floats(__m256i words) {
        const __m256i low = _mm256_and_si256(words, _mm256_set1_epi32(0xffff));
        const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0xd8);
        return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
    }
    static Vec low_floats(__m256i words) { return high_floats(_mm256_slli_epi32(words, 16)); }
    static Vec high_floats(__m256i words) {
        // The exponent, five bits, at the lower end of that of a float, which counts from 112 less.
        const __m256i bits =
            _mm256_and_si256(_mm256_srai_epi32(words, 3), _mm256_set1_epi32(static_cast<int>(0x8fffe000)));
        return mul(_mm256_castsi256_ps(bits), set1(0x1p112F));
    }
};
struct BF16 {
    static constexpr size_t bytes = 2;
    static __m256i read(const uint8_t* from) { return _mm256_slli_epi32(_mm256_cvtepu16_epi32(load128(from)), 16); }
    static Vec any_floats(__m256i words) { return low_floats(words); }
    static Vec low_floats(__m256i words) { return _mm256_castsi256_ps(_mm256_slli_epi32(words, 16)); }
    static Vec high_floats(__m256i words) {
        return _mm256_castsi256_ps(_mm256_and_si256(words, _mm256_set1_epi32(static_cast<int>(0xffff0000))));
    }
};

using Words = __m256i;
void store_words(float* to, Words words) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), words);
}

#include "pack.inl"

// Values of 16 bits [K/2,panel,2].
constexpr int64_t columns_per_word = 2;

template <class Type>
void unpack_values(const WeightRows& rows, int64_t first, int64_t column, int64_t columns, uint8_t* to) {
    __m256i values[lanes][2];
    for (int64_t i = 0; i < lanes; ++i) Type::values(row_of(rows, first + i), column, columns, values[i]);
    for (int64_t j = 0; j < columns; j += 16) {
        __m256i block[8];
        for (int64_t i = 0; i < lanes; ++i) {
            const __m256i both = values[i][j / 32];
            block[i] =
                _mm256_cvtepu8_epi16(j % 32 == 0 ? _mm256_castsi256_si128(both) : _mm256_extracti128_si256(both, 1));
        }
        transpose(block);
        for (int64_t i = 0; i < 8; ++i) {
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + (j / 2 + i) * panel_rows * 4), block[i]);
        }
    }
}

template <class Type>
void unpack_scales(const WeightRows& rows, int64_t first, int64_t column, int64_t groups, float* scales, float* mins) {
    __m256i all_scales[8];
    __m256i all_mins[8];
    for (int64_t i = 0; i < lanes; ++i) {
        const Eight eight = Type::eight(row_of(rows, first + i), column, groups * Type::group);
        all_scales[i] = _mm256_castps_si256(eight.scales);
        all_mins[i] = _mm256_castps_si256(eight.mins);
    }
    transpose(all_scales);
    transpose(all_mins);
    for (int64_t i = 0; i < groups; ++i) {
        store(scales + i * panel_rows, _mm256_castsi256_ps(all_scales[i]));
        store(mins + i * panel_rows, _mm256_castsi256_ps(all_mins[i]));
    }
}

int32_t horizontal(__m256i x, __m128i (*combine)(__m128i, __m128i)) {
    __m128i value = combine(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    value = combine(value, _mm_shuffle_epi32(value, 0x4e));
    return _mm_cvtsi128_si32(combine(value, _mm_shuffle_epi32(value, 0xb1)));
}
__m128i larger(__m128i a, __m128i b) {
    return _mm_max_epi32(a, b);
}
__m128i together(__m128i a, __m128i b) {
    return _mm_add_epi32(a, b);
}

// The numbers of a product, both in 16 bits: those of x up to `limit`, weights as bytes or, around zero, up to `limit`.
struct Narrow {
    static constexpr float limit = 127;
    static constexpr bool has_mins = true;
};
struct Wide {
    static constexpr float limit = 8191;  // the sum of 32 products is just less than 2^31
    static constexpr bool has_mins = false;
};

template <class Numbers>
void quantize(const float* x, int64_t columns, int64_t group, uint8_t* values, float* scales, float* sums) {
    for (int64_t j = 0; j < columns; j += block_size) {
        // As whole numbers, because there infinity, and above it what is no number, are the largest.
        __m256i largest = _mm256_setzero_si256();
        for (int64_t i = 0; i < block_size; i += lanes) {
            largest = _mm256_max_epi32(largest, _mm256_castps_si256(absolute(load(x + j + i))));
        }
        const float most = _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(horizontal(largest, larger))));
        const float scale = most / Numbers::limit;
        const Vec factor = set1(most > 0 ? Numbers::limit / most : 0.0F);
        scales[j / block_size] = scale;
        int32_t halves[2];
        for (int64_t i = 0; i < 2; ++i) {
            const float* const from = x + j + 16 * i;
            const __m256i q0 = _mm256_cvtps_epi32(mul(load(from), factor));
            const __m256i q1 = _mm256_cvtps_epi32(mul(load(from + lanes), factor));
            const __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi32(q0, q1), 0xd8);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(values + (j + 16 * i) * 2), both);
            halves[i] = horizontal(_mm256_add_epi32(q0, q1), together);
        }
        if constexpr (!Numbers::has_mins) continue;
        if (group == block_size) {
            sums[j / group] = scale * static_cast<float>(halves[0] + halves[1]);
        } else {
            for (int64_t i = 0; i < 2; ++i) sums[j / group + i] = scale * static_cast<float>(halves[i]);
        }
    }
}

template <class Numbers, int rows, int64_t group>
void multiply_quantized_rows(const QuantizedPanel& panel, int64_t columns, const QuantizedRows& x, float* sums) {
    const uint8_t* weights = panel.values;
    for (int64_t j = 0; j < columns; j += group) {
        __m256i products0[rows];
        __m256i products1[rows];
#pragma GCC unroll 4
        for (int row = 0; row < rows; ++row) products0[row] = products1[row] = _mm256_setzero_si256();
#pragma GCC unroll 4
        for (int64_t i = 0; i < group; i += 2, weights += panel_rows * 4) {
            const __m256i w0 = load256(weights);
            const __m256i w1 = load256(weights + 32);
#pragma GCC unroll 4
            for (int row = 0; row < rows; ++row) {
                int32_t two;
                __builtin_memcpy(&two, x.values + row * x.value_stride + (j + i) * 2, sizeof(two));
                const __m256i value = _mm256_set1_epi32(two);
                products0[row] = _mm256_add_epi32(products0[row], _mm256_madd_epi16(w0, value));
                products1[row] = _mm256_add_epi32(products1[row], _mm256_madd_epi16(w1, value));
            }
        }
        const int64_t index = j / group;
        const float* const scales = panel.scales + index * panel_rows;
#pragma GCC unroll 4
        for (int row = 0; row < rows; ++row) {
            const Vec scale = set1(x.scales[row * x.scale_stride + j / block_size]);
            float* const to = sums + row * panel_rows;
            Vec left = fma(_mm256_cvtepi32_ps(products0[row]), mul(load(scales), scale), load(to));
            Vec right = fma(_mm256_cvtepi32_ps(products1[row]), mul(load(scales + lanes), scale), load(to + lanes));
            if constexpr (Numbers::has_mins) {
                const float* const mins = panel.mins + index * panel_rows;
                const Vec sum = set1(x.sums[row * x.sum_stride + index]);
                left = _mm256_fnmadd_ps(load(mins), sum, left);
                right = _mm256_fnmadd_ps(load(mins + lanes), sum, right);
            }
            store(to, left);
            store(to + lanes, right);
        }
    }
}

#include "few-rows-avx2.inl"
#include "few-rows.inl"
#include "quantized-kernels.inl"

template <class Type>
constexpr NumberKind numbers_of = {2, quantized_row_tile, quantize<Narrow>, multiply_quantized<Narrow, Type::group>};
constexpr NumberKind wide_numbers = {2, quantized_row_tile, quantize<Wide>, multiply_quantized<Wide, block_size>};

template <class Type>
constexpr FewRows few_rows = {2, quantize<Narrow>, multiply_few<Type>};

#include "quantized-formats.inl"

Words sizes(Words words) {
    return _mm256_and_si256(words, _mm256_set1_epi16(0x7fff));
}
Words larger(Words a, Words b) {
    return _mm256_max_epu16(a, b);
}
Words high_half(Words words) {
    return _mm256_srli_epi32(words, 16);
}
Words whole_pair(Vec low, Vec high) {
    const __m256i second = _mm256_slli_epi32(_mm256_cvtps_epi32(high), 16);
    return _mm256_blend_epi16(_mm256_cvtps_epi32(low), second, 0xaa);
}
void read_words(const WeightRows& rows, int64_t first, int64_t byte, Words (&words)[16]) {
    for (int64_t half = 0; half < 2; ++half) {
        Words block[lanes];
        for (int64_t i = 0; i < lanes; ++i) block[i] = load256(row_of(rows, first + i) + byte + 32 * half);
        transpose(block);
        for (int64_t i = 0; i < lanes; ++i) words[8 * half + i] = block[i];
    }
}

#include "half-floats.inl"

}  // namespace

const Kernels avx2_kernels = {"avx2",    panel_rows, row_tile,       most_few_rows, pack<F32>,
                              pack<F16>, pack<BF16>, multiply_float, format_of_any, gelu};

}  // namespace instructblip::gemm
#endif
