#include "arm-features.h"

#include <cstddef>

// Bits of HWCAP and HWCAP2 in Linux, which older headers lack, and names of sysctl in macOS.
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

bool instructblip::gemm::has_dot_product() {
    return (getauxval(AT_HWCAP) & (1UL << 20)) != 0;
}
bool instructblip::gemm::has_i8mm() {
    return (getauxval(AT_HWCAP2) & (1UL << 13)) != 0;
}
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>

namespace {

bool has(const char* name) {
    int value = 0;
    size_t size = sizeof(value);
    return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}

}  // namespace

bool instructblip::gemm::has_dot_product() {
    return has("hw.optional.arm.FEAT_DotProd");
}
bool instructblip::gemm::has_i8mm() {
    return has("hw.optional.arm.FEAT_I8MM");
}
#else
bool instructblip::gemm::has_dot_product() {
    return false;
}
bool instructblip::gemm::has_i8mm() {
    return false;
}
#endif
