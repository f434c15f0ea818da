// Loops that compilers turn into vectors by themselves, included into each file of kernels. Sums wrap as Pillow's
// would, were they to be so large: hence unsigned.

constexpr uint32_t half_of_one = uint32_t{1} << (precision_bits - 1);

uint8_t clip8(uint32_t sum) {
    const int32_t value = static_cast<int32_t>(sum) >> precision_bits;
    return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

void mix_rows(const uint8_t* rows, int64_t length, int64_t count, const int32_t* weights, uint32_t* sums,
              uint8_t* output) {
    for (int64_t i = 0; i < length; ++i) sums[i] = half_of_one;
    for (int64_t k = 0; k < count; ++k) {
        const auto weight = static_cast<uint32_t>(weights[k]);
        for (int64_t i = 0; i < length; ++i) sums[i] += rows[k * length + i] * weight;
    }
    for (int64_t i = 0; i < length; ++i) output[i] = clip8(sums[i]);
}
