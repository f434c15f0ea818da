#include "kernels.h"

#include <cstdlib>
#include <cstring>

#include "arm-features.h"

namespace instructblip::gemm {
namespace {

// Best first. The portable ones are slower than the engine's own products: only for whoever asks for them.
const Kernels* const candidates[] = {
#ifdef INSTRUCTBLIP_GEMM_X86
    &avx512_kernels,
    &avx2_kernels,
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
    nullptr};

}  // namespace

bool runs_here([[maybe_unused]] const Kernels& kernels) {
#ifdef INSTRUCTBLIP_GEMM_X86
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    if (&kernels == &avx2_kernels) return avx2;
    if (&kernels == &avx512_kernels) {
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vnni");
    }
#endif
#ifdef INSTRUCTBLIP_GEMM_I8MM
    if (&kernels == &i8mm_kernels) return has_dot_product() && has_i8mm();
#endif
#ifdef INSTRUCTBLIP_GEMM_NEON
    if (&kernels == &neon_kernels) return has_dot_product();
#endif
    return true;
}

const Kernels* choose_kernels() {
    const char* const wanted = std::getenv("INSTRUCTBLIP_GEMM");
    const bool any = wanted == nullptr || *wanted == '\0';
    for (const Kernels* const* candidate = candidates; *candidate != nullptr; ++candidate) {
        const char* const name = (*candidate)->name;
        const bool is_wanted = any ? std::strcmp(name, "portable") != 0 : std::strcmp(name, wanted) == 0;
        if (is_wanted && runs_here(**candidate)) return *candidate;
    }
    return nullptr;
}

}  // namespace instructblip::gemm
