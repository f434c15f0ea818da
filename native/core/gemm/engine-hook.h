// Our kernels inside the engine's CPU backend, computed by its own threads, in our graphs and in libllama's.
#pragma once

#include <ggml.h>

#include <cstdint>

namespace instructblip {

// Hooks our kernels into the CPU backend, once in the process's life; the backend must be loaded. Without kernels for
// this CPU, with INSTRUCTBLIP_GEMM=off, or where the backend has no place for them, the engine computes as ever.
void install_kernels();

// Whether products with weights of this type and rows of this length, as a file has them, are computed by our kernels:
// with many rows of x, and with few.
bool kernels_multiply(ggml_type type, int64_t columns);

// Whether they do so faster than the engine does with weights that one of its buffer types has put into an order of its
// own.
bool kernels_beat(const char* buffer_type, ggml_type type, int64_t columns);

// Nodes that our kernels have computed so far in this process, for tests.
int64_t nodes_computed_by_kernels();

}  // namespace instructblip
