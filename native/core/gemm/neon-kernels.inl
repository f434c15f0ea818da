// What the kernels for AArch64 have in common: all but the multiplication of whole numbers. Panels of 8 rows, whole
// numbers as -128..127, four columns at a time.

using Vec = float32x4_t;
constexpr int64_t lanes = 4;
constexpr int row_tile = 12;
constexpr int quantized_row_tile = 16;  // as many rows of x are read side by side

Vec load(const float* from) {
    return vld1q_f32(from);
}
void store(float* to, Vec value) {
    vst1q_f32(to, value);
}
Vec set1(float value) {
    return vdupq_n_f32(value);
}
Vec fma(Vec a, Vec b, Vec c) {
    return vfmaq_f32(c, a, b);
}
Vec mul(Vec a, Vec b) {
    return vmulq_f32(a, b);
}
Vec sub(Vec a, Vec b) {
    return vsubq_f32(a, b);
}
// What is no number is taken from either.
Vec minimum(Vec a, Vec b) {
    return vminq_f32(a, b);
}
Vec maximum(Vec a, Vec b) {
    return vmaxq_f32(a, b);
}
Vec absolute(Vec x) {
    return vabsq_f32(x);
}
Vec rounded(Vec x) {
    return vrndnq_f32(x);
}
Vec exponential2(Vec x) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(x), vdupq_n_s32(127)), 23));
}
Vec below_zero(Vec x, Vec then, Vec otherwise) {
    return vbslq_f32(vcltzq_f32(x), then, otherwise);
}

#include "unpack-neon.inl"
#include "vector-kernels.inl"

using Words = uint32x4_t;
void store_words(float* to, Words words) {
    vst1q_f32(to, vreinterpretq_f32_u32(words));
}

// rows[i][j] ↔ rows[j][i], of 4 x 4 values of 32 bits.
void transpose(Words (&rows)[4]) {
    const auto pair = [](Words words) { return vreinterpretq_u64_u32(words); };
    const auto words = [](uint64x2_t pair) { return vreinterpretq_u32_u64(pair); };
    const uint64x2_t even01 = pair(vtrn1q_u32(rows[0], rows[1]));
    const uint64x2_t odd01 = pair(vtrn2q_u32(rows[0], rows[1]));
    const uint64x2_t even23 = pair(vtrn1q_u32(rows[2], rows[3]));
    const uint64x2_t odd23 = pair(vtrn2q_u32(rows[2], rows[3]));
    rows[0] = words(vtrn1q_u64(even01, even23));
    rows[1] = words(vtrn1q_u64(odd01, odd23));
    rows[2] = words(vtrn2q_u64(even01, even23));
    rows[3] = words(vtrn2q_u64(odd01, odd23));
}

uint16x4_t load_halves(const uint8_t* from) {
    return vreinterpret_u16_u8(vld1_u8(from));
}
struct F32 {
    static constexpr size_t bytes = 4;
    static Words read(const uint8_t* from) { return vreinterpretq_u32_u8(vld1q_u8(from)); }
};
struct F16 {
    static constexpr size_t bytes = 2;
    static Words read(const uint8_t* from) {
        return vreinterpretq_u32_f32(vcvt_f32_f16(vreinterpret_f16_u16(load_halves(from))));
    }
};
struct BF16 {
    static constexpr size_t bytes = 2;
    static Words read(const uint8_t* from) { return vshll_n_u16(load_halves(from), 16); }
};

#include "pack.inl"

// Values [K/4,panel,4].
constexpr int64_t columns_per_word = 4;

template <class Type>
void unpack_values(const WeightRows& rows, int64_t first, int64_t column, int64_t columns, uint8_t* to) {
    Bytes values[lanes][2];
    for (int64_t i = 0; i < lanes; ++i) Type::values(row_of(rows, first + i), column, columns, values[i]);
    for (int64_t j = 0; j < columns; j += 16) {
        Words block[4];
        for (int64_t i = 0; i < lanes; ++i) block[i] = vreinterpretq_u32_u8(values[i][j / 32].val[j / 16 % 2]);
        transpose(block);
        for (int64_t i = 0; i < 4; ++i) vst1q_u8(to + (j / 4 + i) * panel_rows * 4, vreinterpretq_u8_u32(block[i]));
    }
}

// rows [lanes,8] → to [groups,panel]
void store_eights(const Floats (&rows)[lanes], int64_t groups, float* to) {
    for (int64_t half = 0; half < 2; ++half) {
        Words block[4];
        for (int64_t i = 0; i < lanes; ++i) block[i] = vreinterpretq_u32_f32(rows[i].val[half]);
        transpose(block);
        for (int64_t i = 0; i < 4 && 4 * half + i < groups; ++i)
            store_words(to + (4 * half + i) * panel_rows, block[i]);
    }
}

template <class Type>
void unpack_scales(const WeightRows& rows, int64_t first, int64_t column, int64_t groups, float* scales, float* mins) {
    Floats all_scales[lanes];
    Floats all_mins[lanes];
    for (int64_t i = 0; i < lanes; ++i) {
        const Eight eight = Type::eight(row_of(rows, first + i), column, groups * Type::group);
        all_scales[i] = eight.scales;
        all_mins[i] = eight.mins;
    }
    store_eights(all_scales, groups, scales);
    store_eights(all_mins, groups, mins);
}

void quantize(const float* x, int64_t columns, int64_t group, uint8_t* values, float* scales, float* sums) {
    for (int64_t j = 0; j < columns; j += block_size) {
        // As whole numbers, because there infinity, and above it what is no number, are the largest.
        int32x4_t largest = vdupq_n_s32(0);
        for (int64_t i = 0; i < block_size; i += lanes) {
            largest = vmaxq_s32(largest, vreinterpretq_s32_f32(absolute(load(x + j + i))));
        }
        const int32_t bits = vmaxvq_s32(largest);
        float most;
        __builtin_memcpy(&most, &bits, sizeof(most));
        const float scale = most / 127;
        const Vec factor = set1(most > 0 ? 127 / most : 0.0F);
        scales[j / block_size] = scale;
        int32_t halves[2];
        for (int64_t i = 0; i < 2; ++i) {
            const auto four = [&](int64_t k) {
                return vqmovn_s32(vcvtnq_s32_f32(mul(load(x + j + 16 * i + 4 * k), factor)));
            };
            const int8x8_t low = vqmovn_s16(vcombine_s16(four(0), four(1)));
            const int8x8_t high = vqmovn_s16(vcombine_s16(four(2), four(3)));
            const int8x16_t q = vcombine_s8(low, high);
            vst1q_u8(values + j + 16 * i, vreinterpretq_u8_s8(q));
            halves[i] = vaddlvq_s8(q);
        }
        if (group == block_size) {
            sums[j / group] = scale * static_cast<float>(halves[0] + halves[1]);
        } else {
            for (int64_t i = 0; i < 2; ++i) sums[j / group + i] = scale * static_cast<float>(halves[i]);
        }
    }
}

int8x16_t load_signed(const uint8_t* from) {
    return vreinterpretq_s8_u8(vld1q_u8(from));
}

// Of a group of eight rows of weights.
struct GroupScales {
    Vec scales[2];
    Vec mins[2];
};

GroupScales group_scales(const QuantizedPanel& panel, int64_t index) {
    const float* const scales = panel.scales + index * panel_rows;
    const float* const mins = panel.mins + index * panel_rows;
    return {{load(scales), load(scales + lanes)}, {load(mins), load(mins + lanes)}};
}

// What one row of x and a group of weights add to the row's sums.
void add_products(int32x4_t left, int32x4_t right, const GroupScales& group, float x_scale, float x_sum, float* sums) {
    // Minima first: they do not wait for the products.
    const Vec sum0 = vfmsq_n_f32(load(sums), group.mins[0], x_sum);
    const Vec sum1 = vfmsq_n_f32(load(sums + lanes), group.mins[1], x_sum);
    store(sums, fma(vcvtq_f32_s32(left), vmulq_n_f32(group.scales[0], x_scale), sum0));
    store(sums + lanes, fma(vcvtq_f32_s32(right), vmulq_n_f32(group.scales[1], x_scale), sum1));
}

// The file's own.
template <int64_t group>
void multiply_quantized_by(const QuantizedPanel& panel, int64_t columns, QuantizedRows x, int64_t rows, float* sums);

template <int64_t group>
void multiply_quantized(const QuantizedPanel& panel, int64_t columns, const QuantizedRows& x, int64_t rows,
                        float* sums) {
    multiply_quantized_by<group>(panel, columns, x, rows, sums);
}

template <class Type>
constexpr NumberKind numbers_of = {1, quantized_row_tile, quantize, multiply_quantized<Type::group>};

#include "few-rows-neon.inl"
#include "few-rows.inl"

template <class Type>
constexpr FewRows few_rows = {1, quantize, multiply_few<Type>};

#include "quantized-formats.inl"
