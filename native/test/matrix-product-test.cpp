// Every kernel that this CPU runs against a plain triple loop: odd sizes, tails, strides, sizes of numbers, and what is
// no number.
#include "gemm/matrix-product.h"

#include <ggml.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "check.h"
#include "emulated-amx.h"
#include "team.h"

using namespace instructblip::gemm;

namespace {

const Kernels* const all_kernels[] = {
#ifdef INSTRUCTBLIP_GEMM_X86
    &avx512_kernels,   &avx2_kernels,
#endif
#ifdef INSTRUCTBLIP_GEMM_AMX
    &amx_kernels,
#endif
#ifdef INSTRUCTBLIP_GEMM_I8MM
    &i8mm_kernels,
#endif
#ifdef INSTRUCTBLIP_GEMM_NEON
    &neon_kernels,
#endif
#ifdef __GNUC__
    &portable_kernels,
#endif
};

struct Size {
    int64_t rows;     // R
    int64_t columns;  // K
    int64_t count;    // N
};

// One product with gaps between the rows of w, x and y, whose bytes must not change.
struct Case {
    Size size;
    ggml_type type;
    size_t w_stride;
    int64_t x_stride;
    int64_t y_stride;
    std::vector<uint8_t> w;
    std::vector<float> weights;  // what w stands for
    std::vector<float> x;
    std::vector<float> y;

    static constexpr float untouched = 12345;

    Case(ggml_type type, const Size& size, float scale, unsigned seed)
        : size(size),
          type(type),
          w_stride(ggml_row_size(type, size.columns) + 2 * ggml_type_size(type)),
          x_stride(size.columns + 3),
          y_stride(size.rows + 5),
          w(w_stride * static_cast<size_t>(size.rows)),
          weights(static_cast<size_t>(size.rows * size.columns)),
          x(static_cast<size_t>(x_stride * size.count)),
          y(static_cast<size_t>(y_stride * size.count), untouched) {
        std::mt19937 random(seed);
        std::normal_distribution<float> normal;
        for (float& value : x) value = scale * normal(random);
        for (float& value : weights) value = normal(random);
        for (int64_t row = 0; row < size.rows; ++row) {
            float* const values = weights.data() + row * size.columns;
            uint8_t* const to = w.data() + static_cast<size_t>(row) * w_stride;
            ggml_quantize_chunk(type, values, to, 0, 1, size.columns, nullptr);
            if (type == GGML_TYPE_F32) std::memcpy(to, values, static_cast<size_t>(size.columns) * sizeof(float));
            const auto to_float = ggml_get_type_traits(type)->to_float;
            if (to_float != nullptr) to_float(to, values, size.columns);
        }
    }

    void run(const Kernels& kernels, int threads, bool exact = false) {
        const Multiplier multiplier(kernels, {type, exact, size.rows, size.columns, size.count, 1});
        std::vector<uint8_t> memory(multiplier.memory_size(threads));
        const MatrixProduct product{{w.data(), w_stride, size.rows}, x.data(), x_stride, y.data(), y_stride};
        team::run(threads, [&](const Member& member) {
            multiplier.multiply(member, [&](int64_t) { return product; }, memory.data());
        });
    }

    double expected(int64_t row, int64_t output) const {
        double sum = 0;
        for (int64_t i = 0; i < size.columns; ++i) {
            sum += static_cast<double>(weights[static_cast<size_t>(output * size.columns + i)]) *
                   static_cast<double>(x[static_cast<size_t>(row * x_stride + i)]);
        }
        return sum;
    }

    // The largest of all results, in units of |x|: about what a result is, weights being normally distributed.
    double error() const {
        double worst = 0;
        for (int64_t row = 0; row < size.count; ++row) {
            for (int64_t output = 0; output < size.rows; ++output) {
                const double value = y[static_cast<size_t>(row * y_stride + output)];
                worst = std::max(worst, std::fabs(value - expected(row, output)) / length(row));
            }
        }
        return worst;
    }

    double length(int64_t row) const {
        double squares = 0;
        for (int64_t i = 0; i < size.columns; ++i) {
            const double value = x[static_cast<size_t>(row * x_stride + i)];
            squares += value * value;
        }
        return std::sqrt(squares);
    }

    bool gaps_untouched() const {
        for (int64_t row = 0; row < size.count; ++row) {
            for (int64_t i = size.rows; i < y_stride; ++i) {
                if (y[static_cast<size_t>(row * y_stride + i)] != untouched) return false;
            }
        }
        return true;
    }
};

constexpr ggml_type types[] = {GGML_TYPE_F32,  GGML_TYPE_F16,  GGML_TYPE_BF16, GGML_TYPE_Q8_0,
                               GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1,
                               GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K};

bool is_float(ggml_type type) {
    return type == GGML_TYPE_F32 || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16;
}

std::vector<Size> sizes(ggml_type type) {
    if (ggml_blck_size(type) == 256) return {{1, 256, 1}, {33, 768, 13}, {70, 1280, 5}};
    if (!is_float(type)) return {{1, 32, 1}, {33, 96, 13}, {70, 1440, 7}, {31, 544, 8}, {16, 512, 25}};
    return {{1, 1, 1}, {33, 7, 13}, {70, 1031, 5}, {31, 513, 25}, {64, 512, 12}, {45, 96, 7}, {70, 1440, 8}};
}

// Most that a result may be off, in units of |x|. In floats every one of K sums is rounded; numbers of 16 bits are
// rounded in blocks of 32 to multiples of 1/8191 of the largest, of which there are two in 30000 products that deviate
// by more than five times their standard deviation of 1e-4; those of 8 bits to multiples of 1/127.
double bound(ggml_type type, const Size& size, bool exact) {
    const bool as_floats = is_float(type) && (exact || type == GGML_TYPE_F32 || size.columns % block_size != 0);
    if (as_floats) return 2e-7 * std::sqrt(static_cast<double>(size.columns));
    return is_float(type) ? 6e-4 : 4e-2;
}

void test_against_loop(const Kernels& kernels, bool exact) {
    for (const ggml_type type : types) {
        double worst = 0;
        for (const Size& size : sizes(type)) {
            if (!Multiplier::supports(kernels, type, size.columns)) continue;
            for (const float scale : {1.0F, 1e-20F, 1e20F}) {
                Case product(type, size, scale, 7);
                product.run(kernels, 1, exact);
                const double error = product.error();
                CHECK_THAT(error < bound(type, size, exact),
                           check::text(kernels.name, " ", ggml_type_name(type), " ", size.rows, "x", size.columns, "x",
                                       size.count, ": off by ", error));
                CHECK(product.gaps_untouched());
                worst = std::max(worst, error);
            }
        }
        std::printf("%s %s%s: off by %.2g\n", kernels.name, ggml_type_name(type), exact ? ", exact" : "", worst);
    }
}

// bfloat16 has 8 bits: of weights that are not whole numbers 2^-9 is lost at most.
bool has_rounded_weights(const Kernels& kernels) {
    return std::strncmp(kernels.name, "amx", 3) == 0;
}

// Whole numbers up to 127, of which rounding x loses nothing: here whole-number kernels are as exact as those of
// floats.
void test_whole_numbers(const Kernels& kernels) {
    for (const ggml_type type : types) {
        if (is_float(type) || !Multiplier::supports(kernels, type, 512)) continue;
        Case product(type, {40, 512, 21}, 1, 11);
        std::mt19937 random(12);
        std::uniform_int_distribution<int> number(-127, 127);
        for (float& value : product.x) value = static_cast<float>(number(random));
        for (int64_t row = 0; row < product.size.count; ++row) {
            for (int64_t i = 0; i < 512; i += block_size)
                product.x[static_cast<size_t>(row * product.x_stride + i)] = 127;
        }
        product.run(kernels, 1);
        CHECK_THAT(product.error() < (has_rounded_weights(kernels) ? 1e-2 : 2e-6),
                   check::text(kernels.name, " ", ggml_type_name(type), ", whole numbers: off by ", product.error()));
    }
}

// A row's result is the same in other company, as long as there is few or much of it, and on more threads.
void test_independence(const Kernels& kernels) {
    for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_Q6_K}) {
        if (!Multiplier::supports(kernels, type, 512)) continue;
        const bool few = Multiplier::takes_few_rows(kernels, type, 512);
        for (const auto& [many, fewer] : {std::pair<int64_t, int64_t>{19, few ? kernels.few_rows + 1 : 1},
                                          std::pair<int64_t, int64_t>{few ? kernels.few_rows : 2, 1}}) {
            Case all(type, {45, 512, many}, 1, 3);
            all.run(kernels, 1);
            Case threads = all;
            threads.run(kernels, 3);
            CHECK(threads.y == all.y);
            Case rest = all;
            rest.size.count = fewer;
            rest.run(kernels, 1);
            CHECK(std::equal(rest.y.begin(), rest.y.begin() + 45, all.y.begin()));
        }
    }
}

// Large numbers beside small ones: no less exact than with x rounded as the engine rounds it, or, to 16 bits in blocks,
// not much less. `count`: rows of x, few or many.
void test_outliers(const Kernels& kernels, int64_t count) {
    for (const auto& [type, engine, factor] : {std::tuple{GGML_TYPE_Q8_0, GGML_TYPE_Q8_0, 1.05},
                                               {GGML_TYPE_Q4_0, GGML_TYPE_Q8_0, 1.05},
                                               {GGML_TYPE_F16, GGML_TYPE_F16, 8.0}}) {
        if (!Multiplier::supports(kernels, type, 512)) continue;
        Case ours(type, {40, 512, count}, 1, 5);
        for (int64_t row = 0; row < count; ++row) ours.x[static_cast<size_t>(row * ours.x_stride + 100)] = 50;
        ours.run(kernels, 1);
        Case rounded = ours;
        std::vector<uint8_t> blocks(ggml_row_size(engine, 512));
        double ours_squares = 0;
        double rounded_squares = 0;
        for (int64_t row = 0; row < count; ++row) {
            float* const x = rounded.x.data() + row * rounded.x_stride;
            ggml_quantize_chunk(engine, x, blocks.data(), 0, 1, 512, nullptr);
            ggml_get_type_traits(engine)->to_float(blocks.data(), x, 512);
            for (int64_t output = 0; output < 40; ++output) {
                const double exact = ours.expected(row, output);
                const double value = ours.y[static_cast<size_t>(row * ours.y_stride + output)];
                ours_squares += (value - exact) * (value - exact);
                rounded_squares += std::pow(rounded.expected(row, output) - exact, 2);
            }
        }
        const double error = std::sqrt(ours_squares / rounded_squares);
        std::printf("%s %s, %d rows with outliers: error %.2g of the engine's\n", kernels.name, ggml_type_name(type),
                    static_cast<int>(count), error);
        CHECK_THAT(error * error < factor, check::text(kernels.name, " ", ggml_type_name(type),
                                                       " with outliers: error ", error, " of the engine's"));
    }
}

void test_not_finite(const Kernels& kernels) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    constexpr float none = std::numeric_limits<float>::quiet_NaN();
    for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0, GGML_TYPE_Q6_K}) {
        if (!Multiplier::supports(kernels, type, 256)) continue;
        for (const float bad : {infinity, -infinity, none}) {
            Case product(type, {20, 256, 3}, 1, 9);
            product.x[static_cast<size_t>(product.x_stride + 77)] = bad;
            product.run(kernels, 1);
            for (int64_t output = 0; output < 20; ++output) {
                CHECK(std::isfinite(product.y[static_cast<size_t>(output)]));
                CHECK(!std::isfinite(product.y[static_cast<size_t>(product.y_stride + output)]));
            }
        }
    }
    // The same of weights: infinity and what is no number are the same 16 bits but for some of them.
    for (const auto& [type, bits] : {std::pair<ggml_type, uint16_t>{GGML_TYPE_F16, 0x7c00},
                                     {GGML_TYPE_F16, 0xfe00},
                                     {GGML_TYPE_BF16, 0xff80},
                                     {GGML_TYPE_BF16, 0x7fc0}}) {
        Case product(type, {20, 256, 3}, 1, 9);
        std::memcpy(product.w.data() + 3 * product.w_stride + 77 * sizeof(bits), &bits, sizeof(bits));
        product.run(kernels, 1);
        for (int64_t output = 0; output < 20; ++output) {
            CHECK(std::isfinite(product.y[static_cast<size_t>(output)]) == (output != 3));
        }
    }
}

// Weights that are zero, or less than the least normal F16.
void test_small_weights(const Kernels& kernels) {
    Case product(GGML_TYPE_F16, {20, 64, 3}, 1, 13);
    for (int64_t row = 0; row < 20; ++row) {
        for (int64_t i = 0; i < 64; ++i) {
            const auto bits = static_cast<uint16_t>(i < 32 ? 0 : row * 64 + i);
            std::memcpy(
                product.w.data() + static_cast<size_t>(row) * product.w_stride + static_cast<size_t>(i) * sizeof(bits),
                &bits, sizeof(bits));
            product.weights[static_cast<size_t>(row * 64 + i)] = static_cast<float>(bits) * 0x1p-24F;
        }
    }
    product.run(kernels, 1);
    CHECK_THAT(product.error() < 6e-4 * 1280 * 0x1p-24,
               check::text(kernels.name, ", small weights: off by ", product.error()));
}

void test_gelu(const Kernels& kernels) {
    constexpr int64_t count = 40003;
    constexpr int64_t middle = count / 2;
    std::vector<float> x(count);
    for (int64_t i = 0; i < count; ++i) x[static_cast<size_t>(i)] = static_cast<float>(i - middle) * 1e-3F;
    std::vector<float> y(count + 1, 7);
    std::vector<float> gated(count);
    const std::vector<float> factor(count, 3);
    const auto run = [&](int threads, const float* from, const float* factors, int64_t size, float* to) {
        team::run(threads, [&](const Member& member) { gelu(kernels, member, from, factors, size, to); });
    };
    run(3, x.data(), nullptr, count, y.data());
    run(1, x.data(), factor.data(), count, gated.data());
    double worst = 0;
    for (size_t i = 0; i < count; ++i) {
        const double exact = 0.5 * x[i] * std::erfc(-x[i] / std::sqrt(2.0));
        worst = std::max(worst, std::fabs(y[i] - exact) / std::max(1.0, std::fabs(exact)));
        CHECK(gated[i] == 3 * y[i]);
    }
    CHECK_THAT(worst < 3e-7, check::text(kernels.name, " gelu: off by ", worst));
    CHECK(y[count] == 7);
    const float far[] = {-1e30F, -0.0F, 0.0F, 1e30F};
    float far_y[4];
    run(2, far, nullptr, 4, far_y);
    CHECK(far_y[0] == 0 && far_y[1] == 0 && far_y[2] == 0 && far_y[3] == 1e30F);
    const float none = std::numeric_limits<float>::quiet_NaN();
    run(1, &none, nullptr, 1, far_y);
    CHECK(std::isnan(far_y[0]));
}

void test(const Kernels& kernels) {
    test_against_loop(kernels, false);
    test_against_loop(kernels, true);
    test_whole_numbers(kernels);
    test_independence(kernels);
    test_outliers(kernels, 6);
    test_outliers(kernels, 12);
    test_not_finite(kernels);
    test_small_weights(kernels);
    test_gelu(kernels);
}

}  // namespace

int main() {
    int tested = 0;
    for (const Kernels* const kernels : all_kernels) {
        if (!runs_here(*kernels)) continue;
        ++tested;
        test(*kernels);
    }
#ifdef INSTRUCTBLIP_GEMM_X86
    if (runs_here(avx512_kernels)) test(emulated_amx_kernels);
#endif
    CHECK(tested > 0);
    return check::report();
}
