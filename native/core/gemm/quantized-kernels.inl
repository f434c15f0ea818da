// What the kernels for whole numbers have in common that keep the sums of a tile in registers. The including file
// defines multiply_quantized_rows and quantized_row_tile.

// Number of rows at compile time, from that at run time.
template <class Numbers, int64_t group, int most = quantized_row_tile>
void multiply_quantized(const QuantizedPanel& panel, int64_t columns, const QuantizedRows& x, int64_t rows,
                        float* sums) {
    if constexpr (most > 1) {
        if (rows < most) return multiply_quantized<Numbers, group, most - 1>(panel, columns, x, rows, sums);
    }
    multiply_quantized_rows<Numbers, most, group>(panel, columns, x, sums);
}
