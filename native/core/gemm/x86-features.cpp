#include "x86-features.h"

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace instructblip::gemm {
namespace {

bool cpu_has_tiles() {
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
    constexpr unsigned bfloat16 = 1U << 22;
    constexpr unsigned tiles = 1U << 24;
    return (edx & bfloat16) != 0 && (edx & tiles) != 0;
}

// Tiles are 8 KB of state, which Linux keeps for a process only when asked (since 5.16).
bool system_allows_tiles() {
    constexpr long request_permission = 0x1023;  // ARCH_REQ_XCOMP_PERM
    constexpr long tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

}  // namespace

bool has_amx_tiles() {
    static const bool has = cpu_has_tiles() && system_allows_tiles();
    return has;
}

}  // namespace instructblip::gemm
#else
bool instructblip::gemm::has_amx_tiles() {
    return false;
}
#endif
