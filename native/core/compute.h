// The device that computes, and the one way to run a graph on it: allocate → set inputs → compute → read.
// Any ggml backend will do; the CPU stands behind it for what it cannot do.
#pragma once

#include <ggml-backend.h>
#include <ggml-cpp.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cancel-token.h"

namespace instructblip {

class Graph;
class Trace;

// A buffer type that weights may live in, and its device.
struct WeightPlace {
    ggml_backend_dev_t device;
    ggml_backend_buffer_type_t buffer_type;
};

class Compute {
  public:
    // device: 'auto', 'cpu', 'cuda', 'metal', 'vulkan' or a device's name (DEVICE_NOT_FOUND lists what there is).
    // threads: 0 = physical cores available to this process. The engine's backends must be loaded.
    Compute(const std::string& device, int threads);
    Compute(const Compute&) = delete;
    Compute& operator=(const Compute&) = delete;

    ggml_backend_dev_t device() const { return device_; }
    std::string device_name() const { return ggml_backend_dev_name(device_); }
    bool is_cpu() const { return device_ == cpu_; }
    int threads() const { return threads_; }

    // Where weights may go, best first.
    const std::vector<WeightPlace>& weight_places() const { return weight_places_; }
    // For tables that are looked up: the CPU's plain memory.
    WeightPlace table_place() const { return {cpu_, ggml_backend_dev_buffer_type(cpu_)}; }

    // Throws OUT_OF_MEMORY where the device has less than `bytes` free: the system would promise them,
    // and end the process when they are used. The message is "<what> takes ..., <device> has ...: <remedy>".
    void require_memory(uint64_t bytes, const std::string& what, const std::string& remedy) const;

    // Runs `graph`: its inputs in, its outputs and what `trace` wants out. One call at a time (the engine thread's).
    // Throws ABORTED, OUT_OF_MEMORY, DEVICE_FAILED.
    void run(Graph& graph, const CancelToken& cancel, Trace* trace = nullptr);

  private:
    bool start_device(ggml_backend_dev_t device);
    void choose_device(const std::string& name);
    void start_companions();
    void find_weight_places();
    void restart_after_lost_memory();
    void abandon_scheduler();
    void allocate(Graph& graph);
    void set_threads(const Graph& graph) const;
    void compute(Graph& graph, const CancelToken& cancel);
    static bool should_abort(void* self);

    ggml_backend_dev_t cpu_;
    ggml_backend_dev_t device_;
    int threads_;
    std::vector<WeightPlace> weight_places_;
    std::vector<ggml_backend_ptr> backends_;  // best first; the CPU is last
    ggml_backend_sched_ptr scheduler_;        // keeps the memory of activations between calls
    const CancelToken* cancel_ = nullptr;     // of the run in progress
};

}  // namespace instructblip
