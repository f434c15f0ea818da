// Few rows of x: each row of weights is multiplied with all of them as it lies. Bound by memory where there is one row
// of x, and memory is read fastest in its order: one row of weights after another. The including file defines
// multiply_row.

constexpr int most_few_rows = 8;

template <class Type, int count>
void multiply_few_rows(const WeightRows& rows, int64_t columns, const QuantizedRows& x, float* y, int64_t stride) {
    for (int64_t i = 0; i < rows.count; ++i) {
        multiply_row<Type, count>(rows.data + static_cast<size_t>(i) * rows.stride, columns, x, y + i, stride);
    }
}

template <class Type, int most>
void multiply_few_tile(const WeightRows& rows, int64_t columns, const QuantizedRows& x, int64_t count, float* y,
                       int64_t stride) {
    if constexpr (most > 1) {
        if (count < most) return multiply_few_tile<Type, most - 1>(rows, columns, x, count, y, stride);
    }
    multiply_few_rows<Type, most>(rows, columns, x, y, stride);
}

template <class Type>
void multiply_few(const WeightRows& rows, int64_t columns, const QuantizedRows& x, int64_t count, float* y,
                  int64_t stride) {
    multiply_few_tile<Type, most_few_rows>(rows, columns, x, count, y, stride);
}
