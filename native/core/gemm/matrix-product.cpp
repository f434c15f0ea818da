#include "matrix-product.h"

#include <ggml.h>

#include <algorithm>

namespace instructblip::gemm {
namespace {

// Columns of a panel that are packed at a time: a panel of floats stays in the second level of caches, one of whole
// numbers in the first. A multiple of every type's block.
constexpr int64_t chunk_columns = 512;

constexpr int64_t gelu_chunk = 8192;

int64_t divide_up(int64_t value, int64_t by) {
    return (value + by - 1) / by;
}

// Calls use(first, count) for tiles of at most `most` rows, as even as can be.
template <class Use>
void for_tiles(int64_t rows, int64_t most, const Use& use) {
    const int64_t tiles = divide_up(rows, most);
    for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t first = rows * tile / tiles;
        use(first, rows * (tile + 1) / tiles - first);
    }
}

WeightRows rows_from(const WeightRows& rows, int64_t first, int64_t most) {
    return {rows.data + static_cast<size_t>(first) * rows.stride, rows.stride, std::min(most, rows.count - first)};
}

// The next chunk of the panel is on its way while this one is multiplied: rows lie far apart, more of them than a CPU
// follows by itself.
void prefetch_chunk(const WeightRows& rows, size_t first, size_t last) {
#ifdef __GNUC__
    constexpr size_t line = 64;
    for (int64_t i = 0; i < rows.count; ++i) {
        const uint8_t* const row = rows.data + static_cast<size_t>(i) * rows.stride;
        for (size_t byte = first; byte < last; byte += line) __builtin_prefetch(row + byte);
    }
#endif
}

Pack pack_of(const Kernels& kernels, int type) {
    switch (type) {
        case GGML_TYPE_F32:
            return kernels.pack_f32;
        case GGML_TYPE_F16:
            return kernels.pack_f16;
        case GGML_TYPE_BF16:
            return kernels.pack_bf16;
        default:
            return nullptr;
    }
}

}  // namespace

bool Multiplier::supports(const Kernels& kernels, int type, int64_t columns) {
    const QuantizedFormat format = kernels.format(type);
    return format.unpack != nullptr ? columns % block_size == 0 : pack_of(kernels, type) != nullptr;
}

void Multiplier::multiply(const ProductShape& shape, const std::vector<MatrixProduct>& products, int threads) {
    const QuantizedFormat format = kernels_.format(shape.type);
    scratch_.resize(std::max(scratch_.size(), static_cast<size_t>(threads)));
    for (Scratch& scratch : scratch_) {
        scratch.sums.resize(static_cast<size_t>(shape.count * kernels_.panel));
        const auto values = static_cast<size_t>(chunk_columns * kernels_.panel);
        if (format.unpack == nullptr) {
            scratch.panel.resize(values);
        } else {
            scratch.values.resize(values * kernels_.value_size);
            scratch.scales.resize(values / static_cast<size_t>(format.group));
            scratch.mins.resize(values / static_cast<size_t>(format.group));
        }
    }
    if (format.unpack == nullptr) return run_panels(shape, products, threads);
    for (const MatrixProduct& product : products) {
        quantize(shape, product, format.group, threads);
        run_panels(shape, {product}, threads);
    }
}

QuantizedRows Multiplier::quantized_rows(const ProductShape& shape, int64_t group, int64_t row, int64_t column) const {
    const int64_t scales = shape.columns / block_size;
    const int64_t sums = shape.columns / group;
    const auto bytes = static_cast<int64_t>(kernels_.value_size);
    return {values_.data() + (row * shape.columns + column) * bytes,
            shape.columns * bytes,
            scales_.data() + row * scales + column / block_size,
            sums_.data() + row * sums + column / group,
            scales,
            sums};
}

void Multiplier::quantize(const ProductShape& shape, const MatrixProduct& product, int64_t group, int threads) {
    const int64_t columns = shape.columns;
    values_.resize(static_cast<size_t>(shape.count * columns) * kernels_.value_size);
    scales_.resize(static_cast<size_t>(shape.count * columns / block_size));
    sums_.resize(static_cast<size_t>(shape.count * columns / group));
    workers_.run(shape.count, threads, [&](int64_t row, int) {
        kernels_.quantize(product.x + row * product.x_stride, columns, group,
                          values_.data() + static_cast<size_t>(row * columns) * kernels_.value_size,
                          scales_.data() + row * columns / block_size, sums_.data() + row * columns / group);
    });
}

void Multiplier::run_panels(const ProductShape& shape, const std::vector<MatrixProduct>& products, int threads) {
    const int64_t panels = divide_up(products.front().weights.count, kernels_.panel);
    workers_.run(panels * static_cast<int64_t>(products.size()), threads, [&](int64_t i, int thread) {
        multiply_panel(shape, products[static_cast<size_t>(i / panels)], i % panels,
                       scratch_[static_cast<size_t>(thread)]);
    });
}

void Multiplier::multiply_panel(const ProductShape& shape, const MatrixProduct& product, int64_t panel,
                                Scratch& scratch) {
    const int64_t first = panel * kernels_.panel;
    const WeightRows rows = rows_from(product.weights, first, kernels_.panel);
    const QuantizedFormat format = kernels_.format(shape.type);
    std::fill_n(scratch.sums.begin(), shape.count * kernels_.panel, 0.0F);
    for (int64_t column = 0; column < shape.columns; column += chunk_columns) {
        const int64_t columns = std::min(chunk_columns, shape.columns - column);
        const int64_t end = std::min(column + 2 * chunk_columns, shape.columns);
        const auto type = static_cast<ggml_type>(shape.type);
        prefetch_chunk(rows, ggml_row_size(type, column + columns), ggml_row_size(type, end));
        if (format.unpack == nullptr) {
            add_floats(shape, product, rows, column, columns, scratch);
        } else {
            add_quantized(shape, format, rows, column, columns, scratch);
        }
    }
    for (int64_t row = 0; row < shape.count; ++row) {
        std::copy_n(scratch.sums.data() + row * kernels_.panel, rows.count, product.y + row * product.y_stride + first);
    }
}

void Multiplier::add_floats(const ProductShape& shape, const MatrixProduct& product, const WeightRows& rows,
                            int64_t column, int64_t columns, Scratch& scratch) const {
    pack_of(kernels_, shape.type)(rows, column, columns, scratch.panel.data());
    for_tiles(shape.count, kernels_.float_tile, [&](int64_t first, int64_t count) {
        kernels_.multiply_float(scratch.panel.data(), columns, product.x + first * product.x_stride + column,
                                product.x_stride, count, scratch.sums.data() + first * kernels_.panel);
    });
}

void Multiplier::add_quantized(const ProductShape& shape, const QuantizedFormat& format, const WeightRows& rows,
                               int64_t column, int64_t columns, Scratch& scratch) const {
    const QuantizedPanel panel{scratch.values.data(), scratch.scales.data(), scratch.mins.data()};
    format.unpack(rows, column, columns, panel);
    for_tiles(shape.count, kernels_.quantized_tile, [&](int64_t first, int64_t count) {
        kernels_.multiply_quantized(panel, columns, format.group, quantized_rows(shape, format.group, first, column),
                                    count, scratch.sums.data() + first * kernels_.panel);
    });
}

void Multiplier::gelu(const float* x, const float* factor, int64_t count, float* y, int threads) {
    workers_.run(divide_up(count, gelu_chunk), threads, [&](int64_t chunk, int) {
        const int64_t first = chunk * gelu_chunk;
        const int64_t end = std::min(first + gelu_chunk, count);
        kernels_.gelu(x + first, end - first, y + first);
        for (int64_t i = first; factor != nullptr && i < end; ++i) y[i] *= factor[i];
    });
}

}  // namespace instructblip::gemm
