// What an ARM CPU has beyond the base of AArch64, as the operating system tells.
#pragma once

namespace instructblip::gemm {

// False on other CPUs, and where the system does not tell.
bool has_dot_product();

}  // namespace instructblip::gemm
