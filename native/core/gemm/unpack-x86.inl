// What block-types.inl needs, for AVX2 and above. Values are kept as 0..255.

using Bytes = __m256i;
using Floats = __m256;

// Of eight groups.
struct Eight {
    Floats scales;
    Floats mins;
};

__m128i load128(const uint8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
__m256i load256(const uint8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

Bytes load_bytes(const uint8_t* from) {
    return load256(from);
}
Bytes either(Bytes a, Bytes b) {
    return _mm256_or_si256(a, b);
}
Bytes low_fours(Bytes x) {
    return _mm256_and_si256(x, _mm256_set1_epi8(15));
}
Bytes high_fours(Bytes x) {
    return low_fours(_mm256_srli_epi16(x, 4));
}
Bytes nibbles(const uint8_t* from) {
    const __m128i bytes = load128(from);
    return low_fours(_mm256_set_m128i(_mm_srli_epi16(bytes, 4), bytes));
}
// Where all bits of the mask are set 16, elsewhere 0.
Bytes sixteen_where(Bytes x, Bytes mask) {
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(x, mask), mask), _mm256_set1_epi8(16));
}
Bytes fifth_bits(const uint8_t* from) {
    int32_t bits;
    __builtin_memcpy(&bits, from, sizeof(bits));
    const __m256i spread = _mm256_shuffle_epi8(
        _mm256_set1_epi32(bits), _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
    return sixteen_where(spread, _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201)));
}
Bytes bits(Bytes x, int64_t bit) {
    return sixteen_where(x, _mm256_set1_epi8(static_cast<char>(1 << bit)));
}
Bytes pairs(Bytes x, int64_t bit) {
    const __m256i two = _mm256_and_si256(_mm256_srl_epi16(x, _mm_cvtsi64_si128(bit)), _mm256_set1_epi8(3));
    return _mm256_slli_epi16(two, 4);
}

float half(const uint8_t* from) {
    uint16_t bits;
    __builtin_memcpy(&bits, from, sizeof(bits));
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}
Floats from_halves(int16_t a, int16_t b, int16_t c, int16_t d, int16_t e, int16_t f, int16_t g, int16_t h) {
    return _mm256_cvtph_ps(_mm_setr_epi16(a, b, c, d, e, f, g, h));
}
Floats scaled(Floats x, float factor) {
    return _mm256_mul_ps(x, _mm256_set1_ps(factor));
}
Floats negative(Floats x) {
    return _mm256_sub_ps(_mm256_setzero_ps(), x);
}
Floats from_signed_bytes(const uint8_t* from) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
}
Floats from_unsigned_bytes(uint64_t bytes) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(bytes))));
}

Bytes from_signed(Bytes x) {
    return _mm256_xor_si256(x, _mm256_set1_epi8(static_cast<char>(0x80)));
}
template <int zero>
Bytes from_zero(Bytes x) {
    return x;
}
Eight around_zero(Floats scales, int zero) {
    return {scales, scaled(scales, static_cast<float>(zero))};
}

#include "block-types.inl"
