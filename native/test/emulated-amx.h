#pragma once

#include "gemm/kernels.h"

namespace instructblip::gemm {

#ifdef INSTRUCTBLIP_GEMM_X86
extern const Kernels emulated_amx_kernels;  // where the CPU runs avx512_kernels
#endif

}  // namespace instructblip::gemm
