// Blocks of ggml's quantized types → values 0..255, scales and minima (w = scale · q - min), of one row at a time:
// values of 64 columns, scales of eight groups. The layouts are those of ggml-common.h. Included into the files of AVX2
// and above.

int16_t load16(const uint8_t* from) {
    int16_t bits;
    __builtin_memcpy(&bits, from, sizeof(bits));
    return bits;
}

float half(const uint8_t* from) {
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(static_cast<uint16_t>(load16(from)))));
}

// Eight F16 numbers that lie `step` bytes apart; behind `count` of them zeros.
template <size_t step>
__m256 halves(const uint8_t* from, int64_t count) {
    if (count >= 8) {
        return _mm256_cvtph_ps(_mm_setr_epi16(load16(from), load16(from + step), load16(from + 2 * step),
                                              load16(from + 3 * step), load16(from + 4 * step), load16(from + 5 * step),
                                              load16(from + 6 * step), load16(from + 7 * step)));
    }
    int16_t bits[8] = {};
    for (int64_t i = 0; i < count; ++i) bits[i] = load16(from + i * step);
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bits)));
}

__m128i load128(const uint8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
__m256i load256(const uint8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

// 16 bytes → 32 values: the low halves, then the high ones.
__m256i nibbles(const uint8_t* from) {
    const __m128i bytes = load128(from);
    const __m256i both = _mm256_set_m128i(_mm_srli_epi16(bytes, 4), bytes);
    return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

// 32 bits → 32 bytes, each 0 or 16.
__m256i fifth_bits(const uint8_t* from) {
    int32_t bits;
    __builtin_memcpy(&bits, from, sizeof(bits));
    const __m256i spread = _mm256_shuffle_epi8(
        _mm256_set1_epi32(bits), _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
    const __m256i mask = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(spread, mask), mask), _mm256_set1_epi8(16));
}

// Types with blocks of 32 begin with the scale as F16. What a value stands for is scale · (value - offset), or, where
// offset is 0, scale · value + minimum, which comes second.
struct Q8_0 {
    static constexpr size_t bytes = 34;
    static constexpr int offset = 128;
    static __m256i values(const uint8_t* block) {
        return _mm256_xor_si256(load256(block + 2), _mm256_set1_epi8(static_cast<char>(0x80)));
    }
};
struct Q4_0 {
    static constexpr size_t bytes = 18;
    static constexpr int offset = 8;
    static __m256i values(const uint8_t* block) { return nibbles(block + 2); }
};
struct Q4_1 {
    static constexpr size_t bytes = 20;
    static constexpr int offset = 0;
    static __m256i values(const uint8_t* block) { return nibbles(block + 4); }
};
struct Q5_0 {
    static constexpr size_t bytes = 22;
    static constexpr int offset = 16;
    static __m256i values(const uint8_t* block) { return _mm256_or_si256(nibbles(block + 6), fifth_bits(block + 2)); }
};
struct Q5_1 {
    static constexpr size_t bytes = 24;
    static constexpr int offset = 0;
    static __m256i values(const uint8_t* block) { return _mm256_or_si256(nibbles(block + 8), fifth_bits(block + 4)); }
};

// Of eight groups.
struct Eight {
    __m256 scales;
    __m256 mins;
};

// Types with blocks of 32.
template <class Type>
struct Blocks {
    static constexpr int64_t group = 32;
    static constexpr int64_t block = 32;
    static constexpr size_t bytes = Type::bytes;

    // From `column` on, as far as there are columns.
    static Eight eight(const uint8_t* row, int64_t column, int64_t columns) {
        const uint8_t* const block = row + column / 32 * static_cast<int64_t>(bytes);
        const __m256 scales = halves<bytes>(block, columns / 32);
        if constexpr (Type::offset != 0) return {scales, _mm256_mul_ps(scales, _mm256_set1_ps(Type::offset))};
        return {scales, _mm256_sub_ps(_mm256_setzero_ps(), halves<bytes>(block + 2, columns / 32))};
    }

    static void values(const uint8_t* row, int64_t column, int64_t columns, __m256i* values) {
        const uint8_t* const block = row + column / 32 * static_cast<int64_t>(bytes);
        for (int64_t i = 0; i < columns / 32; ++i) values[i] = Type::values(block + i * bytes);
    }
};

// 12 bytes of six bits each → eight scales and eight minima (Q4_K, Q5_K).
inline __attribute__((always_inline)) Eight eight_of_six_bits(const uint8_t* block) {
    uint32_t words[3];
    __builtin_memcpy(words, block + 4, sizeof(words));
    constexpr uint32_t low_four = 0x0f0f0f0f;
    constexpr uint32_t low_six = 0x3f3f3f3f;
    constexpr uint32_t top_two = 0x30303030;
    const uint64_t scales =
        (words[0] & low_six) | static_cast<uint64_t>((words[2] & low_four) | ((words[0] >> 2) & top_two)) << 32;
    const uint64_t mins =
        (words[1] & low_six) | static_cast<uint64_t>(((words[2] >> 4) & low_four) | ((words[1] >> 2) & top_two)) << 32;
    const auto eight = [](uint64_t bytes, float factor) {
        const __m256i whole = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(bytes)));
        return _mm256_mul_ps(_mm256_cvtepi32_ps(whole), _mm256_set1_ps(factor));
    };
    return {eight(scales, half(block)), eight(mins, half(block + 2))};
}

struct Q4_K {
    static constexpr int64_t group = 32;
    static constexpr int64_t block = 256;
    static constexpr size_t bytes = 144;
    static Eight eight(const uint8_t* row, int64_t column, int64_t) {
        return eight_of_six_bits(row + column / 256 * static_cast<int64_t>(bytes));
    }
    static void values(const uint8_t* row, int64_t column, int64_t, __m256i* values) {
        const uint8_t* const block = row + column / 256 * static_cast<int64_t>(bytes);
        const int64_t pair = column / 64 % 4;
        const __m256i bytes = load256(block + 16 + 32 * pair);
        const __m256i low = _mm256_set1_epi8(15);
        values[0] = _mm256_and_si256(bytes, low);
        values[1] = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low);
    }
};

struct Q5_K {
    static constexpr int64_t group = 32;
    static constexpr int64_t block = 256;
    static constexpr size_t bytes = 176;
    static Eight eight(const uint8_t* row, int64_t column, int64_t) {
        return eight_of_six_bits(row + column / 256 * static_cast<int64_t>(bytes));
    }
    static void values(const uint8_t* row, int64_t column, int64_t, __m256i* values) {
        const uint8_t* const block = row + column / 256 * static_cast<int64_t>(bytes);
        const int64_t pair = column / 64 % 4;
        const __m256i high = load256(block + 16);
        const __m256i bytes = load256(block + 48 + 32 * pair);
        const __m256i low = _mm256_set1_epi8(15);
        const __m256i fours[2] = {_mm256_and_si256(bytes, low), _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low)};
        for (int64_t i = 0; i < 2; ++i) {
            const __m256i bit = _mm256_set1_epi8(static_cast<char>(1 << (2 * pair + i)));
            const __m256i fifth = _mm256_cmpeq_epi8(_mm256_and_si256(high, bit), bit);
            values[i] = _mm256_or_si256(fours[i], _mm256_and_si256(fifth, _mm256_set1_epi8(16)));
        }
    }
};

struct Q6_K {
    static constexpr int64_t group = 16;
    static constexpr int64_t block = 256;
    static constexpr size_t bytes = 210;
    static Eight eight(const uint8_t* row, int64_t column, int64_t) {
        const uint8_t* const block = row + column / 256 * static_cast<int64_t>(bytes);
        const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(block + 192 + column % 256 / 16));
        const __m256 whole = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
        const __m256 scales = _mm256_mul_ps(whole, _mm256_set1_ps(half(block + 208)));
        return {scales, _mm256_mul_ps(scales, _mm256_set1_ps(32.0F))};
    }
    static void values(const uint8_t* row, int64_t column, int64_t, __m256i* values) {
        const uint8_t* const block = row + column / 256 * static_cast<int64_t>(bytes);
        const int64_t half_block = column / 128 % 2;
        const int64_t quarter = column / 64 % 2;  // of the half block: its low or its high four bits
        const __m256i high = load256(block + 128 + 32 * half_block);
        for (int64_t i = 0; i < 2; ++i) {
            const __m256i bytes = load256(block + 64 * half_block + 32 * i);
            const __m256i four =
                _mm256_and_si256(quarter == 0 ? bytes : _mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(15));
            const __m128i shift = _mm_cvtsi64_si128(4 * quarter + 2 * i);
            const __m256i two = _mm256_and_si256(_mm256_srl_epi16(high, shift), _mm256_set1_epi8(3));
            values[i] = _mm256_or_si256(four, _mm256_slli_epi16(two, 4));
        }
    }
};

// What comes next is on its way: an order of reading that a CPU sees by itself ends with every page.
template <class Type>
void prefetch(const uint8_t* row, int64_t column) {
    constexpr int64_t distance = 4096;
    constexpr auto size = static_cast<int64_t>(Type::bytes) * (256 / Type::block);
    const uint8_t* const from = row + column / 256 * size + distance;
    for (int64_t line = 0; line < size; line += 64) __builtin_prefetch(from + line);
}
