#include "accelerator.h"

#include <ggml-backend-impl.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "matrix-product.h"

namespace instructblip {
namespace {

// Below this many rows of x packing costs more than it gains, against the engine's products.
constexpr int64_t least_rows = 8;
// Below this many multiplications it costs more to hand a node over than to compute it.
constexpr int64_t least_work = 1 << 19;
constexpr int64_t least_gelu = 1 << 14;

const gemm::Kernels* kernels() {
    static const gemm::Kernels* const chosen = gemm::choose_kernels();
    return chosen;
}

// --- one node -------------------------------------------------------------------------------------------------------

bool is_rows_of_floats(const ggml_tensor* tensor) {
    return tensor->type == GGML_TYPE_F32 && tensor->nb[0] == sizeof(float) && tensor->nb[1] % sizeof(float) == 0;
}

bool can_multiply(const ggml_tensor* node) {
    const ggml_tensor* const w = node->src[0];
    const ggml_tensor* const x = node->src[1];
    const bool is_hadamard = node->op_params[1] == GGML_HINT_SRC0_IS_HADAMARD;
    return !is_hadamard && w->nb[0] == ggml_type_size(w->type) && is_rows_of_floats(x) && is_rows_of_floats(node) &&
           x->ne[1] >= least_rows && x->ne[1] * w->ne[1] * w->ne[0] >= least_work &&
           gemm::Multiplier::supports(*kernels(), w->type, w->ne[0]);
}

bool is_large_and_flat(const ggml_tensor* node) {
    return node->type == GGML_TYPE_F32 && ggml_is_contiguous(node) && ggml_nelements(node) >= least_gelu;
}

bool can_compute(const ggml_tensor* node) {
    switch (node->op) {
        case GGML_OP_NONE:
        case GGML_OP_RESHAPE:
        case GGML_OP_VIEW:
        case GGML_OP_PERMUTE:
        case GGML_OP_TRANSPOSE:
            return true;
        case GGML_OP_MUL_MAT:
            return can_multiply(node);
        case GGML_OP_UNARY:
            return ggml_get_unary_op(node) == GGML_UNARY_OP_GELU_ERF && is_large_and_flat(node) &&
                   is_large_and_flat(node->src[0]);
        case GGML_OP_GLU:
            return ggml_get_glu_op(node) == GGML_GLU_OP_GEGLU_ERF && is_large_and_flat(node) &&
                   is_large_and_flat(node->src[0]) && node->src[1] != nullptr && is_large_and_flat(node->src[1]);
        default:
            return false;
    }
}

// --- a backend: what computes one graph at a time -----------------------------------------------------------------

struct State {
    gemm::Multiplier multiplier{*kernels()};
    std::vector<gemm::MatrixProduct> products;
    int threads = 1;
    ggml_abort_callback should_abort = nullptr;
    void* abort_data = nullptr;

    void multiply(const ggml_tensor* node);
    void gelu(const ggml_tensor* node);
    void compute(const ggml_tensor* node);
};

// A product for each matrix of x; several of them may share one of w.
void State::multiply(const ggml_tensor* node) {
    const ggml_tensor* const w = node->src[0];
    const ggml_tensor* const x = node->src[1];
    products.clear();
    for (int64_t i3 = 0; i3 < node->ne[3]; ++i3) {
        for (int64_t i2 = 0; i2 < node->ne[2]; ++i2) {
            const size_t w_offset = static_cast<size_t>(i2 * w->ne[2] / node->ne[2]) * w->nb[2] +
                                    static_cast<size_t>(i3 * w->ne[3] / node->ne[3]) * w->nb[3];
            const size_t x_offset = static_cast<size_t>(i2) * x->nb[2] + static_cast<size_t>(i3) * x->nb[3];
            const size_t y_offset = static_cast<size_t>(i2) * node->nb[2] + static_cast<size_t>(i3) * node->nb[3];
            products.push_back({{static_cast<const uint8_t*>(w->data) + w_offset, w->nb[1], w->ne[1]},
                                reinterpret_cast<const float*>(static_cast<const uint8_t*>(x->data) + x_offset),
                                static_cast<int64_t>(x->nb[1] / sizeof(float)),
                                reinterpret_cast<float*>(static_cast<uint8_t*>(node->data) + y_offset),
                                static_cast<int64_t>(node->nb[1] / sizeof(float))});
        }
    }
    if (!products.empty()) multiplier.multiply({w->type, w->ne[0], x->ne[1]}, products, threads);
}

void State::gelu(const ggml_tensor* node) {
    const bool is_gated = node->op == GGML_OP_GLU;
    multiplier.gelu(static_cast<const float*>(node->src[0]->data),
                    is_gated ? static_cast<const float*>(node->src[1]->data) : nullptr, ggml_nelements(node),
                    static_cast<float*>(node->data), threads);
}

void State::compute(const ggml_tensor* node) {
    if (ggml_is_empty(node)) return;
    if (node->op == GGML_OP_MUL_MAT) multiply(node);
    if (node->op == GGML_OP_UNARY || node->op == GGML_OP_GLU) gelu(node);
}

State& state_of(ggml_backend_t backend) {
    return *static_cast<State*>(backend->context);
}

ggml_status compute_graph(ggml_backend_t backend, ggml_cgraph* graph) {
    State& state = state_of(backend);
    try {
        for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
            if (state.should_abort != nullptr && state.should_abort(state.abort_data)) return GGML_STATUS_ABORTED;
            state.compute(ggml_graph_node(graph, i));
        }
    } catch (const std::bad_alloc&) {
        return GGML_STATUS_ALLOC_FAILED;
    }
    return GGML_STATUS_SUCCESS;
}

void set_threads(ggml_backend_t backend, int threads) {
    state_of(backend).threads = std::max(threads, 1);
}

void set_abort_callback(ggml_backend_t backend, ggml_abort_callback callback, void* data) {
    state_of(backend).should_abort = callback;
    state_of(backend).abort_data = data;
}

ggml_backend_t start_backend(ggml_backend_dev_t device, const char*) {
    static ggml_guid guid = {0x6b, 0x1f, 0x4e, 0x0a, 0x52, 0x93, 0x4d, 0x77,
                             0x9c, 0x2e, 0x8b, 0x05, 0xd1, 0x7a, 0x33, 0xe4};
    ggml_backend_i functions{};
    functions.get_name = [](ggml_backend_t backend) { return ggml_backend_dev_name(backend->device); };
    functions.free = [](ggml_backend_t backend) {
        delete static_cast<State*>(backend->context);
        delete backend;
    };
    functions.graph_compute = compute_graph;
    auto backend = std::make_unique<ggml_backend>(ggml_backend{&guid, functions, device, nullptr});
    backend->context = new State();
    return backend.release();
}

// --- the device and its registration --------------------------------------------------------------------------------

const char* device_name(ggml_backend_dev_t) {
    return kernels()->name;
}

void device_memory(ggml_backend_dev_t, size_t* free, size_t* total) {
    *free = *total = 0;  // none of its own
}

enum ggml_backend_dev_type device_type(ggml_backend_dev_t) {
    return GGML_BACKEND_DEVICE_TYPE_ACCEL;
}

void device_properties(ggml_backend_dev_t device, ggml_backend_dev_props* properties) {
    *properties = {};
    properties->name = ggml_backend_dev_name(device);
    properties->description = ggml_backend_dev_description(device);
    properties->type = GGML_BACKEND_DEVICE_TYPE_ACCEL;
    properties->caps.buffer_from_host_ptr = true;
}

ggml_backend_device_i device_functions() {
    ggml_backend_device_i functions{};
    functions.get_name = device_name;
    functions.get_description = [](ggml_backend_dev_t) { return "matrix products of instructblip"; };
    functions.get_memory = device_memory;
    functions.get_type = device_type;
    functions.get_props = device_properties;
    functions.init_backend = start_backend;
    functions.get_buffer_type = [](ggml_backend_dev_t) { return ggml_backend_cpu_buffer_type(); };
    functions.buffer_from_host_ptr = [](ggml_backend_dev_t, void* data, size_t size, size_t) {
        return ggml_backend_cpu_buffer_from_ptr(data, size);
    };
    functions.supports_op = [](ggml_backend_dev_t, const ggml_tensor* node) { return can_compute(node); };
    functions.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t type) {
        return ggml_backend_buft_is_host(type);
    };
    return functions;
}

void* function_named(ggml_backend_reg_t, const char* name) {
    if (std::strcmp(name, "ggml_backend_set_n_threads") == 0) return reinterpret_cast<void*>(set_threads);
    if (std::strcmp(name, "ggml_backend_set_abort_callback") == 0) return reinterpret_cast<void*>(set_abort_callback);
    return nullptr;
}

ggml_backend_reg_t registration();

ggml_backend_dev_t the_device() {
    static ggml_backend_device device = {device_functions(), registration(), nullptr};
    return &device;
}

ggml_backend_reg_t registration() {
    static ggml_backend_reg value = [] {
        ggml_backend_reg_i functions{};
        functions.get_name = [](ggml_backend_reg_t) { return "instructblip"; };
        functions.get_device_count = [](ggml_backend_reg_t) { return size_t{1}; };
        functions.get_device = [](ggml_backend_reg_t, size_t) { return the_device(); };
        functions.get_proc_address = function_named;
        return ggml_backend_reg{GGML_BACKEND_API_VERSION, functions, nullptr};
    }();
    return &value;
}

}  // namespace

void register_accelerator() {
    static const bool once = [] {
        if (kernels() != nullptr) ggml_backend_register(registration());
        return true;
    }();
    static_cast<void>(once);
}

ggml_backend_dev_t accelerator_device() {
    return kernels() == nullptr ? nullptr : the_device();
}

}  // namespace instructblip
