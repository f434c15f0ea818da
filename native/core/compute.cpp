#include "compute.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstring>
#include <new>
#include <utility>

#include "engine-log.h"
#include "error.h"
#include "graph.h"
#include "threads.h"
#include "trace.h"

namespace instructblip {
namespace {

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

// A device that can run a whole stage.
bool is_main_device(ggml_backend_dev_t device) {
    const auto type = ggml_backend_dev_type(device);
    return type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU ||
           type == GGML_BACKEND_DEVICE_TYPE_CPU;
}

std::string device_list() {
    std::string text;
    for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
        ggml_backend_dev_t device = ggml_backend_dev_get(i);
        if (!is_main_device(device)) continue;
        text += std::string(text.empty() ? "" : ", ") + ggml_backend_dev_name(device) + " (" +
                ggml_backend_dev_description(device) + ")";
    }
    return text;
}

// Of 'cuda', 'metal', 'vulkan': the backend of that name. The engine calls Metal's MTL.
bool belongs_to(ggml_backend_dev_t device, const std::string& wanted) {
    const std::string backend = lower(ggml_backend_reg_name(ggml_backend_dev_backend_reg(device)));
    return backend == wanted || (wanted == "metal" && backend == "mtl");
}

// What `name` may mean, best first.
std::vector<ggml_backend_dev_t> candidates(const std::string& name) {
    const std::string wanted = lower(name);
    std::vector<ggml_backend_dev_t> found;
    const auto add_all = [&](auto matches) {
        for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
            ggml_backend_dev_t device = ggml_backend_dev_get(i);
            if (is_main_device(device) && matches(device)) found.push_back(device);
        }
    };
    if (wanted == "auto") {
        for (const auto type :
             {GGML_BACKEND_DEVICE_TYPE_GPU, GGML_BACKEND_DEVICE_TYPE_IGPU, GGML_BACKEND_DEVICE_TYPE_CPU}) {
            add_all([&](ggml_backend_dev_t device) { return ggml_backend_dev_type(device) == type; });
        }
        return found;
    }
    add_all([&](ggml_backend_dev_t device) { return lower(ggml_backend_dev_name(device)) == wanted; });
    if (found.empty()) add_all([&](ggml_backend_dev_t device) { return belongs_to(device, wanted); });
    return found;
}

// A function that a backend offers beyond the common interface; nullptr when it does not.
template <class Function>
Function backend_function(ggml_backend_dev_t device, const char* name) {
    return reinterpret_cast<Function>(ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), name));
}

GraphWork work_of(ggml_cgraph* graph) {
    GraphWork work;
    for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
        const ggml_tensor* const node = ggml_graph_node(graph, i);
        if (node->op != GGML_OP_MUL_MAT) continue;
        work.multiply_adds += static_cast<double>(ggml_nelements(node)) * static_cast<double>(node->src[0]->ne[0]);
        work.bytes += static_cast<double>(ggml_nbytes(node->src[0]));
    }
    return work;
}

TracedTensor read_tensor(const ggml_tensor* tensor) {
    TracedTensor result;
    for (int i = ggml_n_dims(tensor) - 1; i >= 0; --i) result.shape.push_back(tensor->ne[i]);
    result.data.resize(static_cast<size_t>(ggml_nelements(tensor)));
    ggml_backend_tensor_get(tensor, result.data.data(), 0, ggml_nbytes(tensor));
    return result;
}

}  // namespace

Compute::Compute(const std::string& device, int threads)
    : cpu_(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)), device_(nullptr), threads_(thread_count(threads)) {
    if (cpu_ == nullptr) throw ModelError("ENGINE_LOAD_FAILED", "no CPU backend of the engine is loaded");
    choose_device(device);
    start_companions();
    find_weight_places();
}

void Compute::choose_device(const std::string& name) {
    const std::vector<ggml_backend_dev_t> found = candidates(name);
    if (found.empty()) {
        throw ModelError("DEVICE_NOT_FOUND",
                         "there is no device '" + name + "'. Use 'auto', or one of: " + device_list() +
                             ". A GPU needs its backend package, e.g. @node-llama-cpp/linux-x64-cuda");
    }
    for (ggml_backend_dev_t device : found) {
        if (!start_device(device)) continue;
        device_ = device;
        return;
    }
    throw ModelError("DEVICE_FAILED",
                     "device '" + name + "' could not be started: is its driver working? 'cpu' needs none");
}

// Starts a device's backend, with our abort callback where it knows such. The CPU must come last.
bool Compute::start_device(ggml_backend_dev_t device) {
    ggml_backend_ptr backend(ggml_backend_dev_init(device, nullptr));
    if (!backend) return false;
    if (const auto set_abort =
            backend_function<ggml_backend_set_abort_callback_t>(device, "ggml_backend_set_abort_callback")) {
        set_abort(backend.get(), should_abort, this);
    }
    const auto cpu_last = std::find_if(backends_.begin(), backends_.end(), [&](const ggml_backend_ptr& other) {
        return ggml_backend_get_device(other.get()) == cpu_;
    });
    backends_.insert(device == cpu_ ? backends_.end() : cpu_last, std::move(backend));
    return true;
}

// Accelerators work beside whatever device was chosen; the CPU does what no other can.
void Compute::start_companions() {
    if (!is_cpu() && !start_device(cpu_)) throw ModelError("DEVICE_FAILED", "the CPU backend could not be started");
    for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
        ggml_backend_dev_t device = ggml_backend_dev_get(i);
        if (ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_ACCEL) start_device(device);
    }
}

void Compute::find_weight_places() {
    ggml_backend_buffer_type_t plain = ggml_backend_dev_buffer_type(cpu_);
    for (const ggml_backend_ptr& backend : backends_) {
        ggml_backend_dev_t device = ggml_backend_get_device(backend.get());
        ggml_backend_buffer_type_t own = ggml_backend_dev_buffer_type(device);
        if (device != cpu_ && own != plain) weight_places_.push_back({device, own});
    }
    // Buffers that keep weights in an order made for this CPU's instructions (AMX, CPU_REPACK).
    if (const auto get_extra =
            backend_function<ggml_backend_dev_get_extra_bufts_t>(cpu_, "ggml_backend_dev_get_extra_bufts")) {
        for (ggml_backend_buffer_type_t* extra = get_extra(cpu_); extra != nullptr && *extra != nullptr; ++extra) {
            weight_places_.push_back({cpu_, *extra});
        }
    }
    weight_places_.push_back({cpu_, plain});
}

void Compute::require_memory(uint64_t bytes, const std::string& what, const std::string& remedy) const {
    size_t free = 0;
    size_t total = 0;
    ggml_backend_dev_memory(device_, &free, &total);
    if (total == 0 || bytes <= free) return;  // 0: the device does not say
    throw ModelError("OUT_OF_MEMORY", what + " takes " + std::to_string(bytes >> 20) + " MiB, " + device_name() +
                                          " has " + std::to_string(free >> 20) + " MiB: " + remedy);
}

bool Compute::should_abort(void* self) {
    const CancelToken* const cancel = static_cast<const Compute*>(self)->cancel_;
    return cancel != nullptr && cancel->cancelled();
}

// Half allocated, it is not to be used again, nor freed: where two backends share a type of buffers, as
// BLAS and the CPU do, the one's buffer that could not grow was freed, and the other's is still that one.
void Compute::abandon_scheduler() {
    static auto& abandoned = *new std::vector<ggml_backend_sched_t>();
    abandoned.push_back(scheduler_.release());
}

void Compute::allocate(Graph& graph) {
    if (!scheduler_) {
        std::vector<ggml_backend_t> backends;
        backends.reserve(backends_.size());
        for (const ggml_backend_ptr& backend : backends_) backends.push_back(backend.get());
        scheduler_.reset(ggml_backend_sched_new(backends.data(), nullptr, static_cast<int>(backends.size()),
                                                2 * Graph::max_nodes, false, true));
    }
    // Plan anew each time. The allocator would reuse the last graph's plan for any graph with as many nodes and leaves
    // of fitting sizes, whatever lives how long in it: wrong numbers, or a crash. Its memory is kept all the same.
    ggml_backend_sched_reset(scheduler_.get());
    if (ggml_backend_sched_reserve(scheduler_.get(), graph.graph()) &&
        ggml_backend_sched_alloc_graph(scheduler_.get(), graph.graph())) {
        return;
    }
    abandon_scheduler();
    throw ModelError("OUT_OF_MEMORY", "memory for activations on " + device_name() +
                                          " could not be had: free some, or use another device");
}

// Gives the backends that know threads as many as `graph` is worth.
void Compute::set_threads(const Graph& graph) const {
    const int threads = useful_threads(threads_, work_of(graph.graph()));
    for (const ggml_backend_ptr& backend : backends_) {
        const auto set = backend_function<ggml_backend_set_n_threads_t>(ggml_backend_get_device(backend.get()),
                                                                        "ggml_backend_set_n_threads");
        if (set != nullptr) set(backend.get(), threads);
    }
}

void Compute::compute(Graph& graph, const CancelToken& cancel) {
    set_threads(graph);
    cancel_ = &cancel;
    ggml_status status = GGML_STATUS_FAILED;
    try {
        status = ggml_backend_sched_graph_compute(scheduler_.get(), graph.graph());
    } catch (const std::bad_alloc&) {
        status = GGML_STATUS_ALLOC_FAILED;
        restart_after_lost_memory();
    }
    cancel_ = nullptr;
    cancel.throw_if_cancelled();
    if (status == GGML_STATUS_ALLOC_FAILED) {
        throw ModelError("OUT_OF_MEMORY", "work memory on " + device_name() + " could not be had");
    }
    if (status != GGML_STATUS_SUCCESS) {
        throw ModelError("DEVICE_FAILED", device_name() + " failed to compute: " + ggml_status_to_string(status));
    }
}

// The CPU backend frees its work memory before it asks for more: after that has failed it must neither be used nor
// freed.
void Compute::restart_after_lost_memory() {
    scheduler_.reset();
    [[maybe_unused]] ggml_backend_t lost = nullptr;
    for (ggml_backend_ptr& backend : backends_) {
        if (ggml_backend_get_device(backend.get()) == cpu_) lost = backend.release();
    }
    backends_.erase(std::remove(backends_.begin(), backends_.end(), nullptr), backends_.end());
    if (!start_device(cpu_)) throw ModelError("DEVICE_FAILED", "the CPU backend could not be started again");
}

void Compute::run(Graph& graph, const CancelToken& cancel, Trace* trace) {
    cancel.throw_if_cancelled();
    const auto start = std::chrono::steady_clock::now();
    allocate(graph);
    for (const Graph::Input& input : graph.inputs()) {
        ggml_backend_tensor_set(input.tensor, input.data, 0, ggml_nbytes(input.tensor));
    }
    compute(graph, cancel);
    for (const Graph::Output& output : graph.outputs()) {
        ggml_backend_tensor_get(output.tensor, output.data, 0, ggml_nbytes(output.tensor));
    }
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    log_debug("graph " + graph.stage() + ": " + std::to_string(time.count()) + " ms");
    if (trace == nullptr) return;
    for (const Graph::Traced& traced : graph.traced()) trace->add(traced.name, read_tensor(traced.tensor));
}

}  // namespace instructblip
