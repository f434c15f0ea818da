// AVX-512 with VNNI.
#include "kernels.h"

#ifdef INSTRUCTBLIP_GEMM_X86
#include <ggml.h>
#include <immintrin.h>

namespace instructblip::gemm {
namespace {

#include "avx512-kernels.inl"

}  // namespace

const Kernels avx512_kernels = {"avx512",  panel_rows, row_tile,       most_few_rows, pack<F32>,
                                pack<F16>, pack<BF16>, multiply_float, format_of_any, gelu};

}  // namespace instructblip::gemm
#endif
