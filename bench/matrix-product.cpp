// Speed of the products of native/core/gemm, by type of weights: best of seven, and what that is of the speed that the
// kernel has on a tile and a panel in the cache.
//   cmake -S . -B build/native && cmake --build build/native --target matrix-product-bench
//   build/native/matrix-product-bench [threads] [rows of weights] [columns] [rows of x]
// INSTRUCTBLIP_GEMM=avx2|avx512|neon|i8mm|portable picks the kernels.
#include "gemm/matrix-product.h"

#include <ggml.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <vector>

#include "../native/test/team.h"

using namespace instructblip::gemm;

namespace {

double best_seconds(const std::function<void()>& work) {
    double best = 1e9;
    for (int i = 0; i < 7; ++i) {
        const auto start = std::chrono::steady_clock::now();
        work();
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return best;
}

std::vector<float> noise(int64_t count) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = normal(random);
    return values;
}

// Operations per second of the kernel alone: one tile of x and one panel, over and over, from the cache.
double peak_speed(const Kernels& kernels, ggml_type type, const WeightRows& rows) {
    constexpr int64_t columns = 512;
    constexpr int repeats = 2000;
    const QuantizedFormat format = kernels.format(type);
    const auto size = static_cast<size_t>(columns * kernels.panel);
    std::vector<float> panel(size), scales(size), mins(size), sums(size);
    const auto tile_speed = [&](int64_t tile, const std::function<void()>& multiply) {
        const double seconds = best_seconds([&] {
            for (int i = 0; i < repeats; ++i) multiply();
        });
        return 2.0 * repeats * static_cast<double>(columns * kernels.panel * tile) / seconds;
    };
    const std::vector<float> x = noise(columns * kernels.float_tile);
    if (format.unpack == nullptr) {
        kernels.pack_f32(rows, 0, columns, panel.data());
        return tile_speed(kernels.float_tile, [&] {
            kernels.multiply_float(panel.data(), columns, x.data(), columns, kernels.float_tile, sums.data());
        });
    }
    const NumberKind& numbers = *format.numbers;
    const QuantizedPanel packed{reinterpret_cast<uint8_t*>(panel.data()), scales.data(), mins.data()};
    format.unpack(rows, 0, columns, packed);
    const std::vector<uint8_t> values(static_cast<size_t>(numbers.tile * columns) * numbers.value_size, 1);
    const std::vector<float> ones(static_cast<size_t>(numbers.tile * columns), 1);
    const QuantizedRows quantized{values.data(),        static_cast<int64_t>(columns * numbers.value_size),
                                  ones.data(),          ones.data(),
                                  columns / block_size, columns / format.group};
    return tile_speed(numbers.tile, [&] { numbers.multiply(packed, columns, quantized, numbers.tile, sums.data()); });
}

}  // namespace

int main(int argc, char** argv) {
    const auto argument = [&](int i, int fallback) { return argc > i ? std::atoi(argv[i]) : fallback; };
    const int threads = argument(1, 1);
    const int64_t rows = argument(2, 6144);
    const int64_t columns = argument(3, 1408);
    const int64_t count = argument(4, 257);
    const Kernels* const kernels = choose_kernels();
    if (kernels == nullptr) return std::puts("no kernels for this CPU"), 1;
    std::printf("%s, %d threads, %lld x %lld weights, %lld rows\n", kernels->name, threads,
                static_cast<long long>(rows), static_cast<long long>(columns), static_cast<long long>(count));
    const std::vector<float> weights = noise(rows * columns);
    const std::vector<float> x = noise(count * columns);
    std::vector<float> y(static_cast<size_t>(count * rows));
    for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0,
                                 GGML_TYPE_Q5_0, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K}) {
        if (!Multiplier::supports(*kernels, type, columns) || columns % ggml_blck_size(type) != 0) continue;
        const size_t stride = ggml_row_size(type, columns);
        std::vector<uint8_t> packed(stride * static_cast<size_t>(rows));
        ggml_quantize_chunk(type, weights.data(), packed.data(), 0, rows, columns, nullptr);
        const MatrixProduct product{{packed.data(), stride, rows}, x.data(), columns, y.data(), rows};
        const Multiplier multiplier(*kernels, {type, false, rows, columns, count, 1});
        std::vector<uint8_t> memory(multiplier.memory_size(threads));
        double seconds = 0;
        team::run(threads, [&](const Member& member) {
            const double best = best_seconds([&] {
                member.meet();
                multiplier.multiply(member, [&](int64_t) { return product; }, memory.data());
                member.meet();
            });
            if (member.thread == 0) seconds = best;
        });
        const double operations = 2.0 * static_cast<double>(rows) * static_cast<double>(columns * count);
        const double speed = operations / seconds;
        const double peak = threads * peak_speed(*kernels, type, {packed.data(), stride, rows});
        std::printf("%-5s %8.2f ms %7.0f GFLOP/s, %3.0f %% of the kernel's from cache\n", ggml_type_name(type),
                    seconds * 1e3, speed * 1e-9, 100 * speed / peak);
    }
    return 0;
}
