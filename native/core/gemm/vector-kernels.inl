// What differs between instruction sets only by the vector type. The including file defines, in an unnamed namespace:
// Vec (of floats), lanes, row_tile, load, store, set1, fma (a·b + c), mul, add, sub, minimum, maximum, absolute,
// exponential2 (2^n for whole n in -126..127), rounded, below_zero(x, then, otherwise). Panels are two vectors wide.

constexpr int64_t panel_rows = 2 * lanes;

// Of a panel that lacks rows the last one stands for the rest.
const uint8_t* row_of(const WeightRows& rows, int64_t index) {
    return rows.data + (index < rows.count ? index : rows.count - 1) * rows.stride;
}

// sums [rows,panel] += x [rows,K] · panel [K,panel]
template <int rows>
void multiply_float_rows(const float* panel, int64_t columns, const float* x, int64_t stride, float* sums) {
    Vec left[rows];
    Vec right[rows];
#pragma GCC unroll 16
    for (int row = 0; row < rows; ++row) {
        left[row] = load(sums + row * panel_rows);
        right[row] = load(sums + row * panel_rows + lanes);
    }
    for (int64_t column = 0; column < columns; ++column) {
        const Vec w0 = load(panel + column * panel_rows);
        const Vec w1 = load(panel + column * panel_rows + lanes);
#pragma GCC unroll 16
        for (int row = 0; row < rows; ++row) {
            const Vec value = set1(x[row * stride + column]);
            left[row] = fma(value, w0, left[row]);
            right[row] = fma(value, w1, right[row]);
        }
    }
#pragma GCC unroll 16
    for (int row = 0; row < rows; ++row) {
        store(sums + row * panel_rows, left[row]);
        store(sums + row * panel_rows + lanes, right[row]);
    }
}

template <int most>
void multiply_float_tile(const float* panel, int64_t columns, const float* x, int64_t stride, int64_t rows,
                         float* sums) {
    if constexpr (most > 1) {
        if (rows < most) return multiply_float_tile<most - 1>(panel, columns, x, stride, rows, sums);
    }
    multiply_float_rows<most>(panel, columns, x, stride, sums);
}

void multiply_float(const float* panel, int64_t columns, const float* x, int64_t stride, int64_t rows, float* sums) {
    multiply_float_tile<row_tile>(panel, columns, x, stride, rows, sums);
}

template <int degree>
Vec polynomial(const float (&coefficients)[degree], Vec x) {
    Vec value = set1(coefficients[degree - 1]);
#pragma GCC unroll 16
    for (int i = degree - 2; i >= 0; --i) value = fma(value, x, set1(coefficients[i]));
    return value;
}

// e^x for x <= 0, within 1e-7 relative; from e^-87 on downwards 0 or nearly.
Vec exponential(Vec x) {
    // Least squares of the relative error on ±ln 2 / 2.
    static constexpr float coefficients[] = {1.0F,         1.0F,          0.49999991F,  0.16666421F,
                                             0.041668359F, 0.0083747711F, 0.0013829421F};
    x = maximum(x, set1(-87.0F));
    const Vec whole = rounded(mul(x, set1(1.44269504F)));
    // ln 2 in two parts, so that the difference is exact.
    const Vec rest = fma(whole, set1(-1.42860677e-6F), fma(whole, set1(-0.693145752F), x));
    return mul(polynomial(coefficients, rest), exponential2(whole));
}

// x Φ(x). With t = |x|: Φ(-t) = erfc(t/√2) / 2 and erfc(t/√2) = exp(q(t) - t²/2) for a slowly varying q, of which this
// is a weighted Chebyshev fit on 0..6 (erfc within 1e-8); beyond, the rest of x is 0 or x itself in float.
Vec gelu_of(Vec x) {
    static constexpr float coefficients[] = {-2.6487179e-11F, -0.79788452F,  0.18168984F,    -0.036333423F,
                                             0.0047740052F,   5.3936201e-5F, -2.3405421e-4F, 7.0990885e-5F,
                                             -1.2514311e-5F,  1.3947857e-6F, -9.1167713e-8F, 2.6655984e-9F};
    const Vec size = absolute(x);
    const Vec q = polynomial(coefficients, minimum(size, set1(6.0F)));
    const Vec near = mul(set1(0.5F), exponential(fma(mul(size, set1(-0.5F)), size, q)));
    const Vec tail = below_zero(sub(set1(13.0F), size), set1(0.0F), near);
    return mul(x, below_zero(x, tail, sub(set1(1.0F), tail)));
}

void gelu(const float* x, int64_t count, float* y) {
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) store(y + i, gelu_of(load(x + i)));
    if (i == count) return;
    float rest[lanes] = {};
    for (int64_t j = i; j < count; ++j) rest[j - i] = x[j];
    store(rest, gelu_of(load(rest)));
    for (int64_t j = i; j < count; ++j) y[j] = rest[j - i];
}
