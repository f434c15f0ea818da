// What the engine's CPU backend calls for an operation before its own code (ggml-cpu/traits.h and ggml-cpu-impl.h, no
// public headers): repeated here with the same names and order, because it is called by virtual tables. It belongs to
// the engine's version that scripts/ pin; engine-hook-test fails where it no longer fits.
#pragma once

#include <ggml-backend.h>
#include <ggml.h>

#include <cstddef>

struct ggml_threadpool;

struct ggml_compute_params {
    int ith, nth;
    size_t wsize;
    void* wdata;
    ggml_threadpool* threadpool;
    bool use_ref;
};

namespace ggml::cpu {

class tensor_traits {
  public:
    virtual ~tensor_traits() = default;
    virtual bool work_size(int n_threads, const ggml_tensor* op, size_t& size) = 0;
    virtual bool compute_forward(ggml_compute_params* params, ggml_tensor* op) = 0;
};

class extra_buffer_type {
  public:
    virtual ~extra_buffer_type() = default;
    virtual bool supports_op(ggml_backend_dev_t device, const ggml_tensor* op) = 0;
    virtual tensor_traits* get_tensor_traits(const ggml_tensor* op) = 0;
};

}  // namespace ggml::cpu
