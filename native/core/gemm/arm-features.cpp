#include "arm-features.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

bool instructblip::gemm::has_dot_product() {
    constexpr unsigned long asimddp = 1UL << 20;  // HWCAP_ASIMDDP, which older headers lack
    return (getauxval(AT_HWCAP) & asimddp) != 0;
}
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>

#include <cstddef>

bool instructblip::gemm::has_dot_product() {
    int value = 0;
    size_t size = sizeof(value);
    return sysctlbyname("hw.optional.arm.FEAT_DotProd", &value, &size, nullptr, 0) == 0 && value != 0;
}
#else
bool instructblip::gemm::has_dot_product() {
    return false;
}
#endif
