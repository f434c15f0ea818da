// Of any CPU that GCC or Clang compiles for: vectors of four floats become SSE2, NEON or whatever there is.
#include <ggml.h>

#include "kernels.h"

#ifdef __GNUC__
namespace instructblip::gemm {
namespace {

using Vec = float __attribute__((vector_size(16)));
using Whole = int32_t __attribute__((vector_size(16)));
constexpr int64_t lanes = 4;
constexpr int row_tile = 4;

Vec load(const float* from) {
    Vec value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
}
void store(float* to, Vec value) {
    __builtin_memcpy(to, &value, sizeof(value));
}
Vec set1(float value) {
    return Vec{value, value, value, value};
}
Vec fma(Vec a, Vec b, Vec c) {
    return a * b + c;
}
Vec mul(Vec a, Vec b) {
    return a * b;
}
Vec sub(Vec a, Vec b) {
    return a - b;
}
Vec minimum(Vec a, Vec b) {
    return b < a ? b : a;
}  // a that is no number stays
Vec maximum(Vec a, Vec b) {
    return b > a ? b : a;
}
Vec below_zero(Vec x, Vec then, Vec otherwise) {
    return x < 0.0F ? then : otherwise;
}
Vec absolute(Vec x) {
    return reinterpret_cast<Vec>(reinterpret_cast<Whole>(x) & 0x7fffffff);
}
Whole whole(Vec x) {
    return __builtin_convertvector(x, Whole);
}
Vec rounded(Vec x) {  // x <= 0
    return __builtin_convertvector(whole(x - 0.5F), Vec);
}
Vec exponential2(Vec x) {
    return reinterpret_cast<Vec>((whole(x) + 127) << 23);
}

#include "vector-kernels.inl"

template <float (*value)(const uint8_t*), size_t size>
void pack(const WeightRows& rows, int64_t column, int64_t columns, float* panel) {
    for (int64_t i = 0; i < panel_rows; ++i) {
        const uint8_t* const row = row_of(rows, i);
        for (int64_t j = 0; j < columns; ++j) panel[j * panel_rows + i] = value(row + (column + j) * size);
    }
}

template <class T>
T read(const uint8_t* from) {
    T value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
}
float read_f32(const uint8_t* from) {
    return read<float>(from);
}
float read_f16(const uint8_t* from) {
    return ggml_fp16_to_fp32(read<ggml_fp16_t>(from));
}
float read_bf16(const uint8_t* from) {
    return ggml_bf16_to_fp32(read<ggml_bf16_t>(from));
}

QuantizedFormat no_format(int) {
    return {};
}

}  // namespace

const Kernels portable_kernels = {"portable",        panel_rows,         row_tile,       0,         pack<read_f32, 4>,
                                  pack<read_f16, 2>, pack<read_bf16, 2>, multiply_float, no_format, gelu};

}  // namespace instructblip::gemm
#endif
