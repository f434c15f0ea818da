// What a CPU of the x86-64 kind has beyond what the compiler can be asked for.
#pragma once

namespace instructblip::gemm {

// Tiles of bfloat16 (AMX), and the system lets this process use them: asks for that.
bool has_amx_tiles();

}  // namespace instructblip::gemm
