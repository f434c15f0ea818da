// Blocks of ggml's quantized types → values, scales and minima (w = scale · q - min), of one row at a time: values of
// 64 columns, scales of eight groups. The layouts are those of ggml-common.h. The including file (unpack-*.inl)
// defines:
//   Bytes      32 values; load_bytes, either (a | b), low_fours and high_fours (half of each byte),
//              nibbles (16 bytes → the low halves, then the high ones), fifth_bits (32 bits → 0 or 16 each),
//              bits (one bit of each byte → 0 or 16), pairs (two bits from a given one on → 0, 16, 32 or 48)
//   Floats     eight; from_halves (F16), half (a single one), scaled, negative, from_signed_bytes, from_unsigned_bytes
//   and how numbers with a sign are kept: from_signed (of -128..127), from_zero (of 0.., where `zero` stands for 0),
//   and around_zero, the scales and minima of both (`zero` of from_signed: 128).

int16_t load16(const uint8_t* from) {
    int16_t bits;
    __builtin_memcpy(&bits, from, sizeof(bits));
    return bits;
}

// Eight F16 numbers that lie `step` bytes apart; behind `count` of them zeros.
template <size_t step>
Floats halves(const uint8_t* from, int64_t count) {
    if (count >= 8) {
        return from_halves(load16(from), load16(from + step), load16(from + 2 * step), load16(from + 3 * step),
                           load16(from + 4 * step), load16(from + 5 * step), load16(from + 6 * step),
                           load16(from + 7 * step));
    }
    int16_t bits[8] = {};
    for (int64_t i = 0; i < count; ++i) bits[i] = load16(from + i * step);
    return from_halves(bits[0], bits[1], bits[2], bits[3], bits[4], bits[5], bits[6], bits[7]);
}

// Types with blocks of 32 begin with the scale as F16. What a value stands for is scale · (value - zero), or, where
// zero is 0, scale · value + minimum, which comes second.
struct Q8_0 {
    static constexpr size_t bytes = 34;
    static constexpr int zero = 128;
    static Bytes values(const uint8_t* block) { return from_signed(load_bytes(block + 2)); }
};
struct Q4_0 {
    static constexpr size_t bytes = 18;
    static constexpr int zero = 8;
    static Bytes values(const uint8_t* block) { return from_zero<zero>(nibbles(block + 2)); }
};
struct Q4_1 {
    static constexpr size_t bytes = 20;
    static constexpr int zero = 0;
    static Bytes values(const uint8_t* block) { return nibbles(block + 4); }
};
struct Q5_0 {
    static constexpr size_t bytes = 22;
    static constexpr int zero = 16;
    static Bytes values(const uint8_t* block) {
        return from_zero<zero>(either(nibbles(block + 6), fifth_bits(block + 2)));
    }
};
struct Q5_1 {
    static constexpr size_t bytes = 24;
    static constexpr int zero = 0;
    static Bytes values(const uint8_t* block) { return either(nibbles(block + 8), fifth_bits(block + 4)); }
};

// Types with blocks of 32.
template <class Type>
struct Blocks {
    static constexpr int zero = Type::zero;
    static constexpr int64_t group = 32;
    static constexpr int64_t block = 32;
    static constexpr size_t bytes = Type::bytes;

    // From `column` on, as far as there are columns.
    static Eight eight(const uint8_t* row, int64_t column, int64_t columns) {
        const uint8_t* const block = row + column / 32 * static_cast<int64_t>(bytes);
        const Floats scales = halves<bytes>(block, columns / 32);
        if constexpr (Type::zero != 0) return around_zero(scales, Type::zero);
        return {scales, negative(halves<bytes>(block + 2, columns / 32))};
    }

    static void values(const uint8_t* row, int64_t column, int64_t columns, Bytes* values) {
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
    return {scaled(from_unsigned_bytes(scales), half(block)), scaled(from_unsigned_bytes(mins), half(block + 2))};
}

struct Q4_K {
    static constexpr int zero = 0;
    static constexpr int64_t group = 32;
    static constexpr int64_t block = 256;
    static constexpr size_t bytes = 144;
    static Eight eight(const uint8_t* row, int64_t column, int64_t) {
        return eight_of_six_bits(row + column / 256 * static_cast<int64_t>(bytes));
    }
    static void values(const uint8_t* row, int64_t column, int64_t, Bytes* values) {
        const uint8_t* const block = row + column / 256 * static_cast<int64_t>(bytes);
        const int64_t pair = column / 64 % 4;
        const Bytes bytes = load_bytes(block + 16 + 32 * pair);
        values[0] = low_fours(bytes);
        values[1] = high_fours(bytes);
    }
};

struct Q5_K {
    static constexpr int zero = 0;
    static constexpr int64_t group = 32;
    static constexpr int64_t block = 256;
    static constexpr size_t bytes = 176;
    static Eight eight(const uint8_t* row, int64_t column, int64_t) {
        return eight_of_six_bits(row + column / 256 * static_cast<int64_t>(bytes));
    }
    static void values(const uint8_t* row, int64_t column, int64_t, Bytes* values) {
        const uint8_t* const block = row + column / 256 * static_cast<int64_t>(bytes);
        const int64_t pair = column / 64 % 4;
        const Bytes high = load_bytes(block + 16);
        const Bytes bytes = load_bytes(block + 48 + 32 * pair);
        values[0] = either(low_fours(bytes), bits(high, 2 * pair));
        values[1] = either(high_fours(bytes), bits(high, 2 * pair + 1));
    }
};

struct Q6_K {
    static constexpr int64_t group = 16;
    static constexpr int64_t block = 256;
    static constexpr size_t bytes = 210;
    static constexpr int zero = 32;
    static Eight eight(const uint8_t* row, int64_t column, int64_t) {
        const uint8_t* const block = row + column / 256 * static_cast<int64_t>(bytes);
        const Floats whole = from_signed_bytes(block + 192 + column % 256 / 16);
        return around_zero(scaled(whole, half(block + 208)), zero);
    }
    static void values(const uint8_t* row, int64_t column, int64_t, Bytes* values) {
        const uint8_t* const block = row + column / 256 * static_cast<int64_t>(bytes);
        const int64_t half_block = column / 128 % 2;
        const int64_t quarter = column / 64 % 2;  // of the half block: its low or its high four bits
        const Bytes high = load_bytes(block + 128 + 32 * half_block);
        for (int64_t i = 0; i < 2; ++i) {
            const Bytes bytes = load_bytes(block + 64 * half_block + 32 * i);
            const Bytes four = quarter == 0 ? low_fours(bytes) : high_fours(bytes);
            values[i] = from_zero<zero>(either(four, pairs(high, 4 * quarter + 2 * i)));
        }
    }
};

// Columns that unpack_values takes at most.
template <class Type>
constexpr int64_t columns_at_once = 64;

// What comes next is on its way: an order of reading that a CPU sees by itself ends with every page.
template <class Type>
void prefetch(const uint8_t* row, int64_t column) {
    constexpr int64_t distance = 4096;
    constexpr auto size = static_cast<int64_t>(Type::bytes) * (256 / Type::block);
    const uint8_t* const from = row + column / 256 * size + distance;
    for (int64_t line = 0; line < size; line += 64) __builtin_prefetch(from + line);
}
