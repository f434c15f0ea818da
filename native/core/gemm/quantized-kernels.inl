// What the kernels for whole numbers have in common that keep the sums of a tile in registers. The including file
// defines multiply_quantized_rows and quantized_row_tile.

// Number of rows and size of groups at compile time, from those at run time.
template <class Numbers, int most, int64_t group>
void multiply_quantized_tile(const QuantizedPanel& panel, int64_t columns, const QuantizedRows& x, int64_t rows,
                             float* sums) {
    if constexpr (most > 1) {
        if (rows < most) return multiply_quantized_tile<Numbers, most - 1, group>(panel, columns, x, rows, sums);
    }
    multiply_quantized_rows<Numbers, most, group>(panel, columns, x, sums);
}

template <class Numbers>
void multiply_quantized(const QuantizedPanel& panel, int64_t columns, int64_t group, const QuantizedRows& x,
                        int64_t rows, float* sums) {
    const auto multiply = group == 16 ? multiply_quantized_tile<Numbers, quantized_row_tile, 16>
                                      : multiply_quantized_tile<Numbers, quantized_row_tile, 32>;
    multiply(panel, columns, x, rows, sums);
}
