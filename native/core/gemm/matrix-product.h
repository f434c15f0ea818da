// Products of matrices with many rows of x: y [N,R] = x [N,K] · w [R,K]ᵀ, in panels of w and tiles of x. README.md
// explains both.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.h"
#include "workers.h"

namespace instructblip::gemm {

// One product. Rows of x and y are contiguous, `stride` floats apart.
struct MatrixProduct {
    WeightRows weights;
    const float* x;
    int64_t x_stride;
    float* y;
    int64_t y_stride;
};

// What several products of one node have in common.
struct ProductShape {
    int type;         // ggml_type of the weights
    int64_t columns;  // K, at least 1
    int64_t count;    // N, at least 1
};

// Keeps memory between calls.
class Multiplier {
  public:
    explicit Multiplier(const Kernels& kernels) : kernels_(kernels) {}

    // Whether there are kernels for weights of this type and rows of this length.
    static bool supports(const Kernels& kernels, int type, int64_t columns);

    // The result of a row of x depends neither on the other rows nor on the number of threads. Throws std::bad_alloc.
    void multiply(const ProductShape& shape, const std::vector<MatrixProduct>& products, int threads);

    // y [count] = gelu(x), or gelu(x) · factor [count] where there is one.
    void gelu(const float* x, const float* factor, int64_t count, float* y, int threads);

  private:
    struct Scratch {
        std::vector<float> panel;
        std::vector<uint8_t> values;
        std::vector<float> scales;
        std::vector<float> mins;
        std::vector<float> sums;
    };

    void quantize(const ProductShape& shape, const MatrixProduct& product, int64_t group, int threads);
    // x from this row and column on.
    QuantizedRows quantized_rows(const ProductShape& shape, int64_t group, int64_t row, int64_t column) const;
    void run_panels(const ProductShape& shape, const std::vector<MatrixProduct>& products, int threads);
    void multiply_panel(const ProductShape& shape, const MatrixProduct& product, int64_t panel, Scratch& scratch);
    void add_floats(const ProductShape& shape, const MatrixProduct& product, const WeightRows& rows, int64_t column,
                    int64_t columns, Scratch& scratch) const;
    void add_quantized(const ProductShape& shape, const QuantizedFormat& format, const WeightRows& rows, int64_t column,
                       int64_t columns, Scratch& scratch) const;

    const Kernels& kernels_;
    Workers workers_;
    std::vector<Scratch> scratch_;  // of each thread
    // x, quantized
    std::vector<uint8_t> values_;
    std::vector<float> scales_;
    std::vector<float> sums_;
};

}  // namespace instructblip::gemm
