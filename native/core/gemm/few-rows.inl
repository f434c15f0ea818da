// Few rows of x: each row of weights is multiplied with all of them as it lies. Bound by memory where there is one row
// of x. The including file defines multiply_rows_together.

constexpr int most_few_rows = 8;

template <class Type, int count>
void multiply_few_rows(const WeightRows& rows, int64_t columns, const QuantizedRows& x, float* y, int64_t stride) {
    constexpr int together = count == 1 ? 4 : count <= 4 ? 2 : 1;
    int64_t i = 0;
    for (; i + together <= rows.count; i += together) {
        multiply_rows_together<Type, count, together>(rows.data + static_cast<size_t>(i) * rows.stride, rows.stride,
                                                      columns, x, y + i, stride);
    }
    for (; i < rows.count; ++i) {
        multiply_rows_together<Type, count, 1>(rows.data + static_cast<size_t>(i) * rows.stride, rows.stride, columns,
                                               x, y + i, stride);
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
