// The kernels with AMX on any CPU with AVX-512: their tiles in plain C++, as Intel's manual defines the instructions.
#include "emulated-amx.h"

#ifdef INSTRUCTBLIP_GEMM_X86
#include <ggml.h>
#include <immintrin.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

namespace instructblip::gemm {
namespace {

#include "gemm/avx512-kernels.inl"

constexpr int tile_count = 8;
constexpr int64_t row_size = 64;

struct Tile {
    int64_t rows = 0;  // 0: using it is a fault
    uint8_t bytes[16 * row_size] = {};
};
thread_local Tile tiles[tile_count];

Tile& used(int tile) {
    if (tiles[tile].rows == 0) std::abort();
    return tiles[tile];
}

struct TileShapes {
    int64_t rows[tile_count] = {};
    void set(int tile, int64_t count) { rows[tile] = count; }
};

class TileUse {
  public:
    explicit TileUse(const TileShapes& shapes) {
        for (int i = 0; i < tile_count; ++i) {
            tiles[i] = {};
            tiles[i].rows = shapes.rows[i];
        }
    }
    ~TileUse() {
        for (Tile& tile : tiles) tile = {};
    }
    TileUse(const TileUse&) = delete;
    TileUse& operator=(const TileUse&) = delete;
};

template <int tile>
void load_tile(const void* from, int64_t stride) {
    for (int64_t row = 0; row < used(tile).rows; ++row) {
        std::memcpy(tiles[tile].bytes + row * row_size, static_cast<const uint8_t*>(from) + row * stride, row_size);
    }
}
template <int tile>
void store_tile(void* to, int64_t stride) {
    for (int64_t row = 0; row < used(tile).rows; ++row) {
        std::memcpy(static_cast<uint8_t*>(to) + row * stride, tiles[tile].bytes + row * row_size, row_size);
    }
}

template <class T>
T& element(Tile& tile, int64_t row, int64_t index) {
    return reinterpret_cast<T*>(tile.bytes + row * row_size)[index];
}

// Numbers below the least normal one count as zero.
float of_brain(uint16_t bits) {
    const uint32_t word = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &word, sizeof(value));
    return std::fpclassify(value) == FP_SUBNORMAL ? 0.0F : value;
}

template <int sums, int x, int weights>
void add_tile_product() {
    constexpr int64_t pairs = row_size / 4;
    if (used(weights).rows != pairs || used(x).rows != used(sums).rows) std::abort();
    for (int64_t row = 0; row < tiles[sums].rows; ++row) {
        for (int64_t column = 0; column < 16; ++column) {
            float& sum = element<float>(tiles[sums], row, column);
            for (int64_t i = 0; i < 2 * pairs; ++i) {
                sum = std::fma(of_brain(element<uint16_t>(tiles[x], row, i)),
                               of_brain(element<uint16_t>(tiles[weights], i / 2, 2 * column + i % 2)), sum);
            }
        }
    }
}

#include "gemm/amx-kernels.inl"

}  // namespace

const Kernels emulated_amx_kernels = {"amx, emulated", panel_rows, row_tile,       most_few_rows, pack<F32>,
                                      pack<F16>,       pack<BF16>, multiply_float, brain_format,  gelu};

}  // namespace instructblip::gemm
#endif
