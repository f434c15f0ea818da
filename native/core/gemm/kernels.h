// What every instruction set brings to a product of matrices: y [N,R] = x [N,K] · w [R,K]ᵀ, in pieces. Weights are
// packed, a panel of `panel` rows and a chunk of columns at a time, into the order that the multiplying function reads;
// README.md explains panels and tiles. The files that implement this are compiled for their own instruction set: they
// must not use inline functions of other headers, of which the linker keeps one copy for all.
#pragma once

#include <cstddef>
#include <cstdint>

namespace instructblip::gemm {

// Values of x that share a scale.
constexpr int64_t block_size = 32;

// Rows of weights, `stride` bytes apart. `count` >= 1; a panel's further rows repeat the last one.
struct WeightRows {
    const uint8_t* data;
    size_t stride;
    int64_t count;
};

// A chunk of a panel for whole numbers: w = scale · q - min.
struct QuantizedPanel {
    uint8_t* values;  // as the kernel has them, in its order
    float* scales;    // [K/group,panel]
    float* mins;      // [K/group,panel], if the format has them
};

// Some rows of x, quantized: x = scale · q.
struct QuantizedRows {
    const uint8_t* values;  // `value_size` bytes each
    int64_t value_stride;   // bytes from row to row
    const float* scales;    // [N,K/block_size]
    const float* sums;      // [N,K/group]: of scale · q
    int64_t scale_stride;   // from row to row
    int64_t sum_stride;
};

// `group` weights share a scale: 32, or 16 (Q6_K).
using Unpack = void (*)(const WeightRows& rows, int64_t column, int64_t columns, const QuantizedPanel& panel);
using Pack = void (*)(const WeightRows& rows, int64_t column, int64_t columns, float* panel);

// y [count,rows] = x · rows, for few rows of x, from the weights as they lie. `stride`: floats from row to row of y.
using MultiplyFew = void (*)(const WeightRows& rows, int64_t columns, const QuantizedRows& x, int64_t count, float* y,
                             int64_t stride);

// x [K] → values of one row, and scales and sums, if the product wants them. What is not finite makes its block's scale
// so. The memory of values reaches to a whole multiple of 256 columns.
using Quantize = void (*)(const float* x, int64_t columns, int64_t group, uint8_t* values, float* scales, float* sums);

// What panels and rows of x are made of (whole numbers of one size, or floats of 16 bits), and their products.
struct NumberKind {
    size_t value_size;  // bytes of a value, of x and of a panel
    int64_t tile;       // most rows of x that `multiply` takes
    Quantize quantize;
    // sums [rows,panel] += x · panel
    void (*multiply)(const QuantizedPanel& panel, int64_t columns, const QuantizedRows& x, int64_t rows, float* sums);
};

// How few rows of x are multiplied.
struct FewRows {
    size_t value_size = 0;  // bytes of a value of x
    Quantize quantize = nullptr;
    MultiplyFew multiply = nullptr;  // nullptr: there is no such way
};

// How weights of one type are multiplied otherwise than as floats. Columns come in whole multiples of 32.
struct QuantizedFormat {
    Unpack unpack = nullptr;  // nullptr: there is none, the float kernel takes the type
    int64_t group = 0;
    const NumberKind* numbers = nullptr;
    FewRows few;
};

struct Kernels {
    const char* name;
    int64_t panel;       // rows of weights that are packed together
    int64_t float_tile;  // most rows of x that multiply_float takes
    int64_t few_rows;    // most rows of x that a format's FewRows takes

    // w [rows,K] of F32, F16, BF16 → panel [K,panel]
    Pack pack_f32;
    Pack pack_f16;
    Pack pack_bf16;
    // sums [rows,panel] += x [rows,K] · panel. `stride`: floats from row to row of x.
    void (*multiply_float)(const float* panel, int64_t columns, const float* x, int64_t stride, int64_t rows,
                           float* sums);

    // By ggml_type, for those that this kernel has.
    QuantizedFormat (*format)(int type);

    // x/2 (1 + erf(x/√2)), within 3e-7 (relative, or absolute below 1)
    void (*gelu)(const float* x, int64_t count, float* y);
};

#ifdef __GNUC__
extern const Kernels portable_kernels;
#endif
#if defined(__x86_64__) && defined(__GNUC__)
#define INSTRUCTBLIP_GEMM_X86
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
#endif
#if defined(__aarch64__) && defined(__GNUC__)
#define INSTRUCTBLIP_GEMM_NEON
extern const Kernels neon_kernels;
#endif
#ifdef INSTRUCTBLIP_GEMM_AMX  // where the compiler has it (CMakeLists.txt)
extern const Kernels amx_kernels;
#endif
#ifdef INSTRUCTBLIP_GEMM_I8MM  // where the compiler has it (CMakeLists.txt)
extern const Kernels i8mm_kernels;
#endif

// Whether this CPU has the instructions.
bool runs_here(const Kernels& kernels);

// The best of this CPU, or the one that INSTRUCTBLIP_GEMM names: 'portable', 'avx2', 'avx512', 'amx', 'neon', 'i8mm' as
// far as the CPU has it; nullptr for 'off'. 'portable' and 'amx' are only for whoever names them (README.md).
const Kernels* choose_kernels();

}  // namespace instructblip::gemm
