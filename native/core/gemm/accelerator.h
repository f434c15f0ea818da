// Our kernels as a ggml backend of type ACCEL: ggml's scheduler gives it the large products of a graph, libllama's
// graphs included, and the GELUs behind them.
#pragma once

#include <ggml-backend.h>

namespace instructblip {

// Registers the accelerator with the engine, once in the process's life. Without kernels for this CPU, or with
// INSTRUCTBLIP_GEMM=off, there is none.
void register_accelerator();

// nullptr: there is none.
ggml_backend_dev_t accelerator_device();

}  // namespace instructblip
