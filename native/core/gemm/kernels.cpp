#include "kernels.h"

#include <cstdlib>
#include <cstring>

#include "arm-features.h"
#include "x86-features.h"

namespace instructblip::gemm {
namespace {

// Best first.
const Kernels* const candidates[] = {
#ifdef INSTRUCTBLIP_GEMM_AMX
    &amx_kernels,
#endif
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

// The portable ones are slower than the engine's own products, those with AMX have not yet run on a CPU that has it.
bool is_only_on_request(const Kernels& kernels) {
    return std::strcmp(kernels.name, "portable") == 0 || std::strcmp(kernels.name, "amx") == 0;
}

#ifdef INSTRUCTBLIP_GEMM_X86
bool has_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}
#endif

}  // namespace

bool runs_here([[maybe_unused]] const Kernels& kernels) {
#ifdef INSTRUCTBLIP_GEMM_X86
    if (&kernels == &avx2_kernels) return has_avx2();
    if (&kernels == &avx512_kernels) return has_avx512();
#endif
#ifdef INSTRUCTBLIP_GEMM_AMX
    if (&kernels == &amx_kernels) return has_avx512() && has_amx_tiles();
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
        const bool is_wanted = any ? !is_only_on_request(**candidate) : std::strcmp((*candidate)->name, wanted) == 0;
        if (is_wanted && runs_here(**candidate)) return *candidate;
    }
    return nullptr;
}

}  // namespace instructblip::gemm
