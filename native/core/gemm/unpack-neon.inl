// What block-types.inl needs, for NEON. Values are kept as -128..127, so that types whose values lie around 0 have no
// minima.

using Bytes = uint8x16x2_t;
using Floats = float32x4x2_t;

// Of eight groups.
struct Eight {
    Floats scales;
    Floats mins;
};

Bytes load_bytes(const uint8_t* from) {
    return {{vld1q_u8(from), vld1q_u8(from + 16)}};
}
Bytes either(Bytes a, Bytes b) {
    return {{vorrq_u8(a.val[0], b.val[0]), vorrq_u8(a.val[1], b.val[1])}};
}
Bytes low_fours(Bytes x) {
    const uint8x16_t mask = vdupq_n_u8(15);
    return {{vandq_u8(x.val[0], mask), vandq_u8(x.val[1], mask)}};
}
Bytes high_fours(Bytes x) {
    return {{vshrq_n_u8(x.val[0], 4), vshrq_n_u8(x.val[1], 4)}};
}
Bytes nibbles(const uint8_t* from) {
    const uint8x16_t bytes = vld1q_u8(from);
    return {{vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8(bytes, 4)}};
}
// Where a bit of the mask is set 16, elsewhere 0.
uint8x16_t sixteen_where(uint8x16_t x, uint8x16_t mask) {
    return vandq_u8(vtstq_u8(x, mask), vdupq_n_u8(16));
}
Bytes fifth_bits(const uint8_t* from) {
    const uint8x16_t mask = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));
    const auto spread = [&](int64_t i) { return vcombine_u8(vdup_n_u8(from[i]), vdup_n_u8(from[i + 1])); };
    return {{sixteen_where(spread(0), mask), sixteen_where(spread(2), mask)}};
}
Bytes bits(Bytes x, int64_t bit) {
    const uint8x16_t mask = vdupq_n_u8(static_cast<uint8_t>(1 << bit));
    return {{sixteen_where(x.val[0], mask), sixteen_where(x.val[1], mask)}};
}
Bytes pairs(Bytes x, int64_t bit) {
    const int8x16_t shift = vdupq_n_s8(static_cast<int8_t>(4 - bit));  // to the right where it is less than 0
    const uint8x16_t mask = vdupq_n_u8(48);
    return {{vandq_u8(vshlq_u8(x.val[0], shift), mask), vandq_u8(vshlq_u8(x.val[1], shift), mask)}};
}

float half(const uint8_t* from) {
    __fp16 value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
}
Floats from_halves(int16_t a, int16_t b, int16_t c, int16_t d, int16_t e, int16_t f, int16_t g, int16_t h) {
    const int16x4_t low = {a, b, c, d};
    const int16x4_t high = {e, f, g, h};
    return {{vcvt_f32_f16(vreinterpret_f16_s16(low)), vcvt_f32_f16(vreinterpret_f16_s16(high))}};
}
Floats scaled(Floats x, float factor) {
    return {{vmulq_n_f32(x.val[0], factor), vmulq_n_f32(x.val[1], factor)}};
}
Floats negative(Floats x) {
    return {{vnegq_f32(x.val[0]), vnegq_f32(x.val[1])}};
}
Floats from_signed_bytes(const uint8_t* from) {
    const int16x8_t wide = vmovl_s8(vreinterpret_s8_u8(vld1_u8(from)));
    return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide))), vcvtq_f32_s32(vmovl_high_s16(wide))}};
}
Floats from_unsigned_bytes(uint64_t bytes) {
    const uint16x8_t wide = vmovl_u8(vcreate_u8(bytes));
    return {{vcvtq_f32_u32(vmovl_u16(vget_low_u16(wide))), vcvtq_f32_u32(vmovl_high_u16(wide))}};
}

Bytes from_signed(Bytes x) {
    return x;
}
template <int zero>
Bytes from_zero(Bytes x) {
    return {{vsubq_u8(x.val[0], vdupq_n_u8(zero)), vsubq_u8(x.val[1], vdupq_n_u8(zero))}};
}
Eight around_zero(Floats scales, int) {
    return {scales, {{vdupq_n_f32(0), vdupq_n_f32(0)}}};
}

#include "block-types.inl"
