// What an ARM CPU has beyond the base of AArch64, as the operating system tells: false on other CPUs, and where the
// system does not tell.
#pragma once

namespace instructblip::gemm {

bool has_dot_product();
bool has_i8mm();

}  // namespace instructblip::gemm
