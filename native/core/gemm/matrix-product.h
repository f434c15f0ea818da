// Products of matrices: y [N,R] = x [N,K] · w [R,K]ᵀ, with many rows of x in panels of w and tiles of x, with few by
// rows of w. README.md explains them. Several threads compute one together, each by calling the same function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "kernels.h"

namespace instructblip::gemm {

// One of the threads that compute something together.
struct Member {
    int thread;  // 0..threads-1
    int threads;
    // Returns when all of them have called it.
    const std::function<void()>& meet;
};

// One product. Rows of x and y are contiguous, `stride` floats apart.
struct MatrixProduct {
    WeightRows weights;
    const float* x;
    int64_t x_stride;
    float* y;
    int64_t y_stride;
};

// What several products have in common.
struct ProductShape {
    int type;          // ggml_type of the weights
    bool exact;        // in floats, if the weights are: of what is computed (attention), not of a file
    int64_t rows;      // R, at least 1
    int64_t columns;   // K, at least 1
    int64_t count;     // N, at least 1
    int64_t products;  // at least 1
};

// Products of one shape.
class Multiplier {
  public:
    Multiplier(const Kernels& kernels, const ProductShape& shape);

    // Whether there are kernels for weights of this type and rows of this length.
    static bool supports(const Kernels& kernels, int type, int64_t columns);
    // Whether they multiply so few rows of x without packing.
    static bool takes_few_rows(const Kernels& kernels, int type, int64_t columns);

    // Bytes of memory that `multiply` wants.
    size_t memory_size(int threads) const;

    // Every member calls it, with the same memory and the same products by index. The result of a row of x depends on
    // no other row but by their number, and not on the number of threads.
    void multiply(const Member& member, const std::function<MatrixProduct(int64_t)>& products, void* memory) const;

  private:
    // Where things lie in the memory.
    struct Layout {
        size_t values, scales, sums;           // of x, quantized
        size_t scratch;                        // of the first thread
        size_t panel, mins, panel_scales, of;  // within a thread's: a panel and its sums
        size_t scratch_size;
    };
    struct Job;

    Layout layout() const;
    QuantizedRows quantized_rows(const uint8_t* memory, int64_t row, int64_t column) const;
    void quantize(const Member& member, const Job& job) const;
    void multiply_panel(const Job& job, int64_t product, int64_t panel, uint8_t* scratch) const;
    void add_floats(const MatrixProduct& product, const WeightRows& rows, int64_t column, int64_t columns,
                    uint8_t* scratch) const;
    void add_quantized(const Job& job, int64_t product, const WeightRows& rows, int64_t column, int64_t columns,
                       uint8_t* scratch) const;
    void multiply_rows(const Job& job, int64_t product, int64_t first) const;
    bool is_quantized() const { return format_.unpack != nullptr; }
    bool has_few_rows() const;
    // Bytes of a value of x, quantized, and from row to row.
    int64_t value_size() const;
    int64_t value_stride() const;

    const Kernels& kernels_;
    const ProductShape shape_;
    const QuantizedFormat format_;
    const Layout layout_;
};

// y [count] = gelu(x), or gelu(x) · factor [count] where there is one. Every member calls it.
void gelu(const Kernels& kernels, const Member& member, const float* x, const float* factor, int64_t count, float* y);

}  // namespace instructblip::gemm
