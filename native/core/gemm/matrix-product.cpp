#include "matrix-product.h"

#include <ggml.h>

#include <algorithm>
#include <atomic>
#include <new>

namespace instructblip::gemm {
namespace {

// Columns of a panel that are packed at a time, so that it stays in the second level of caches. A multiple of every
// type's block.
constexpr int64_t chunk_columns = 1024;

// Least rows of weights that a thread takes at a time where x has few rows.
constexpr int64_t few_rows_chunk = 32;

constexpr int64_t gelu_chunk = 1024;

constexpr size_t cache_line = 64;

int64_t divide_up(int64_t value, int64_t by) {
    return (value + by - 1) / by;
}

size_t aligned(size_t size) {
    return (size + cache_line - 1) / cache_line * cache_line;
}

// What a member computes of `count` things that take the same time.
struct Share {
    int64_t first;
    int64_t end;
    Share(const Member& member, int64_t count)
        : first(count * member.thread / member.threads), end(count * (member.thread + 1) / member.threads) {}
};

// Calls use(first, count) for tiles of at most `most` rows, as even as can be.
template <class Use>
void for_tiles(int64_t rows, int64_t most, const Use& use) {
    const int64_t tiles = divide_up(rows, most);
    for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t first = rows * tile / tiles;
        use(first, rows * (tile + 1) / tiles - first);
    }
}

// Takes pieces of `total`, of which each of so many threads takes some by turns: first long runs, which memory is read
// fastest in, then ever shorter ones, so that all end together, also where the system does not run one of them in time.
class Pieces {
  public:
    Pieces(std::atomic<int64_t>& next, int64_t total, int threads) : next_(next), total_(total), threads_(threads) {}

    // Calls use(first, end) until none is left.
    template <class Use>
    void take(const Use& use) {
        for (int64_t first = next_; first < total_;) {
            const int64_t end = first + divide_up(total_ - first, runs * threads_);
            if (!next_.compare_exchange_weak(first, end)) continue;
            use(first, end);
            first = next_;
        }
    }

  private:
    static constexpr int64_t runs = 3;
    std::atomic<int64_t>& next_;
    const int64_t total_;
    const int64_t threads_;
};

WeightRows rows_from(const WeightRows& rows, int64_t first, int64_t most) {
    return {rows.data + static_cast<size_t>(first) * rows.stride, rows.stride, std::min(most, rows.count - first)};
}

// The next chunk of the panel is on its way while this one is multiplied: rows lie far apart, more of them than a CPU
// follows by itself.
void prefetch_chunk([[maybe_unused]] const WeightRows& rows, [[maybe_unused]] size_t first,
                    [[maybe_unused]] size_t last) {
#ifdef __GNUC__
    for (int64_t i = 0; i < rows.count; ++i) {
        const uint8_t* const row = rows.data + static_cast<size_t>(i) * rows.stride;
        for (size_t byte = first; byte < last; byte += cache_line) __builtin_prefetch(row + byte);
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

// As whole numbers, or, without `unpack`, as floats.
QuantizedFormat format_of(const Kernels& kernels, const ProductShape& shape) {
    const bool as_floats = pack_of(kernels, shape.type) != nullptr && (shape.exact || shape.columns % block_size != 0);
    return as_floats ? QuantizedFormat{} : kernels.format(shape.type);
}

float* floats(uint8_t* memory) {
    return reinterpret_cast<float*>(memory);
}

}  // namespace

// What a call of `multiply` works on.
struct Multiplier::Job {
    const std::function<MatrixProduct(int64_t)>& products;
    uint8_t* memory;
};

Multiplier::Multiplier(const Kernels& kernels, const ProductShape& shape)
    : kernels_(kernels), shape_(shape), format_(format_of(kernels, shape)), layout_(layout()) {}

bool Multiplier::supports(const Kernels& kernels, int type, int64_t columns) {
    return pack_of(kernels, type) != nullptr || (kernels.format(type).unpack != nullptr && columns % block_size == 0);
}

bool Multiplier::takes_few_rows(const Kernels& kernels, int type, int64_t columns) {
    return kernels.format(type).few.multiply != nullptr && columns % block_size == 0;
}

bool Multiplier::has_few_rows() const {
    return format_.few.multiply != nullptr && shape_.count <= kernels_.few_rows;
}

int64_t Multiplier::value_size() const {
    return static_cast<int64_t>(has_few_rows() ? format_.few.value_size : format_.numbers->value_size);
}

int64_t Multiplier::value_stride() const {
    constexpr int64_t whole = 256;
    return divide_up(shape_.columns, whole) * whole * value_size();
}

Multiplier::Layout Multiplier::layout() const {
    Layout layout{};
    layout.values = cache_line;  // behind the counter
    const auto rows = static_cast<size_t>(is_quantized() ? shape_.products * shape_.count : 0);
    const size_t x = rows * static_cast<size_t>(shape_.columns);
    layout.scales = layout.values + aligned(is_quantized() ? rows * static_cast<size_t>(value_stride()) : 0);
    layout.sums = layout.scales + aligned(x / block_size * sizeof(float));
    layout.scratch =
        layout.sums + aligned(x / static_cast<size_t>(std::max<int64_t>(format_.group, 1)) * sizeof(float));
    if (has_few_rows()) return layout;
    const auto panel = static_cast<size_t>(chunk_columns * kernels_.panel);
    const size_t groups = is_quantized() ? panel / static_cast<size_t>(format_.group) : 0;
    layout.panel = 0;
    layout.panel_scales = aligned(is_quantized() ? panel * format_.numbers->value_size : panel * sizeof(float));
    layout.mins = layout.panel_scales + aligned(groups * sizeof(float));
    layout.of = layout.mins + aligned(groups * sizeof(float));
    layout.scratch_size = layout.of + aligned(static_cast<size_t>(shape_.count * kernels_.panel) * sizeof(float));
    return layout;
}

size_t Multiplier::memory_size(int threads) const {
    return layout_.scratch + static_cast<size_t>(threads) * layout_.scratch_size + cache_line;  // to begin at a line
}

void Multiplier::multiply(const Member& member, const std::function<MatrixProduct(int64_t)>& products,
                          void* memory) const {
    const auto address = reinterpret_cast<uintptr_t>(memory);
    const Job job{products, static_cast<uint8_t*>(memory) + (cache_line - address % cache_line) % cache_line};
    auto* const next = reinterpret_cast<std::atomic<int64_t>*>(job.memory);
    if (member.thread == 0) new (next) std::atomic<int64_t>(0);
    if (is_quantized()) quantize(member, job);
    member.meet();
    const int64_t piece = has_few_rows() ? few_rows_chunk : kernels_.panel;
    const int64_t pieces = divide_up(shape_.rows, piece);
    uint8_t* const scratch = job.memory + layout_.scratch + static_cast<size_t>(member.thread) * layout_.scratch_size;
    Pieces(*next, pieces * shape_.products, member.threads).take([&](int64_t first, int64_t end) {
        for (int64_t i = first; i < end; ++i) {
            if (has_few_rows()) {
                multiply_rows(job, i / pieces, i % pieces * piece);
            } else {
                multiply_panel(job, i / pieces, i % pieces, scratch);
            }
        }
    });
}

// x from this row and column on; rows of all products one after another.
QuantizedRows Multiplier::quantized_rows(const uint8_t* memory, int64_t row, int64_t column) const {
    const int64_t scales = shape_.columns / block_size;
    const int64_t sums = shape_.columns / format_.group;
    return {memory + layout_.values + row * value_stride() + column * value_size(),
            value_stride(),
            reinterpret_cast<const float*>(memory + layout_.scales) + row * scales + column / block_size,
            reinterpret_cast<const float*>(memory + layout_.sums) + row * sums + column / format_.group,
            scales,
            sums};
}

void Multiplier::quantize(const Member& member, const Job& job) const {
    const Quantize quantize_row = has_few_rows() ? format_.few.quantize : format_.numbers->quantize;
    const Share share(member, shape_.products * shape_.count);
    for (int64_t row = share.first; row < share.end; ++row) {
        const MatrixProduct product = job.products(row / shape_.count);
        const QuantizedRows to = quantized_rows(job.memory, row, 0);
        quantize_row(product.x + row % shape_.count * product.x_stride, shape_.columns, format_.group,
                     const_cast<uint8_t*>(to.values), const_cast<float*>(to.scales), const_cast<float*>(to.sums));
    }
}

void Multiplier::multiply_rows(const Job& job, int64_t index, int64_t first) const {
    const MatrixProduct product = job.products(index);
    format_.few.multiply(rows_from(product.weights, first, few_rows_chunk), shape_.columns,
                         quantized_rows(job.memory, index * shape_.count, 0), shape_.count, product.y + first,
                         product.y_stride);
}

void Multiplier::multiply_panel(const Job& job, int64_t index, int64_t panel, uint8_t* scratch) const {
    const MatrixProduct product = job.products(index);
    const int64_t first = panel * kernels_.panel;
    const WeightRows rows = rows_from(product.weights, first, kernels_.panel);
    float* const sums = floats(scratch + layout_.of);
    std::fill_n(sums, shape_.count * kernels_.panel, 0.0F);
    for (int64_t column = 0; column < shape_.columns; column += chunk_columns) {
        const int64_t columns = std::min(chunk_columns, shape_.columns - column);
        const int64_t end = std::min(column + 2 * chunk_columns, shape_.columns);
        const auto type = static_cast<ggml_type>(shape_.type);
        prefetch_chunk(rows, ggml_row_size(type, column + columns), ggml_row_size(type, end));
        if (is_quantized()) {
            add_quantized(job, index, rows, column, columns, scratch);
        } else {
            add_floats(product, rows, column, columns, scratch);
        }
    }
    for (int64_t row = 0; row < shape_.count; ++row) {
        std::copy_n(sums + row * kernels_.panel, rows.count, product.y + row * product.y_stride + first);
    }
}

void Multiplier::add_floats(const MatrixProduct& product, const WeightRows& rows, int64_t column, int64_t columns,
                            uint8_t* scratch) const {
    float* const panel = floats(scratch + layout_.panel);
    float* const sums = floats(scratch + layout_.of);
    pack_of(kernels_, shape_.type)(rows, column, columns, panel);
    for_tiles(shape_.count, kernels_.float_tile, [&](int64_t first, int64_t count) {
        kernels_.multiply_float(panel, columns, product.x + first * product.x_stride + column, product.x_stride, count,
                                sums + first * kernels_.panel);
    });
}

void Multiplier::add_quantized(const Job& job, int64_t index, const WeightRows& rows, int64_t column, int64_t columns,
                               uint8_t* scratch) const {
    const QuantizedPanel panel{scratch + layout_.panel, floats(scratch + layout_.panel_scales),
                               floats(scratch + layout_.mins)};
    float* const sums = floats(scratch + layout_.of);
    format_.unpack(rows, column, columns, panel);
    for_tiles(shape_.count, format_.numbers->tile, [&](int64_t first, int64_t count) {
        format_.numbers->multiply(panel, columns, quantized_rows(job.memory, index * shape_.count + first, column),
                                  count, sums + first * kernels_.panel);
    });
}

void gelu(const Kernels& kernels, const Member& member, const float* x, const float* factor, int64_t count, float* y) {
    const Share share(member, divide_up(count, gelu_chunk));
    const int64_t first = share.first * gelu_chunk;
    const int64_t end = std::min(share.end * gelu_chunk, count);
    if (first >= end) return;
    kernels.gelu(x + first, end - first, y + first);
    for (int64_t i = first; factor != nullptr && i < end; ++i) y[i] *= factor[i];
}

}  // namespace instructblip::gemm
