// AVX-512 with VNNI, and AMX' tiles of bfloat16.
#include "kernels.h"

#ifdef INSTRUCTBLIP_GEMM_AMX
#include <ggml.h>
#include <immintrin.h>

namespace instructblip::gemm {
namespace {

#include "avx512-kernels.inl"

// What ldtilecfg reads.
struct alignas(64) TileShapes {
    uint8_t palette = 1;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};

    // Rows of 64 bytes; none: the tile is not used.
    void set(int tile, int64_t count) {
        row_bytes[tile] = count > 0 ? 64 : 0;
        rows[tile] = static_cast<uint8_t>(count);
    }
};

// The engine's own kernels may have tiles shaped on this thread, and expect them as they were.
class TileUse {
  public:
    explicit TileUse(const TileShapes& shapes) {
        _tile_storeconfig(&before_);
        _tile_loadconfig(&shapes);
    }
    ~TileUse() {
        if (before_.palette == 0) {
            _tile_release();
        } else {
            _tile_loadconfig(&before_);
        }
    }
    TileUse(const TileUse&) = delete;
    TileUse& operator=(const TileUse&) = delete;

  private:
    TileShapes before_;
};

// In assembler, because GCC's intrinsics take a tile's number only as a literal.
template <int tile>
void load_tile(const void* from, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(tile) : "memory");
}
template <int tile>
void store_tile(void* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(tile) : "memory");
}
// sums += x · weights
template <int sums, int x, int weights>
void add_tile_product() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(sums), "i"(x), "i"(weights));
}

#include "amx-kernels.inl"

}  // namespace

const Kernels amx_kernels = {"amx",     panel_rows, row_tile,       most_few_rows, pack<F32>,
                             pack<F16>, pack<BF16>, multiply_float, brain_format,  gelu};

}  // namespace instructblip::gemm
#endif
