#include "engine-hook.h"

#include <ggml-backend-impl.h>

#ifndef _WIN32
#include <dlfcn.h>
#endif

#include <atomic>
#include <cstring>

#include "engine-traits.h"
#include "matrix-product.h"

namespace instructblip {
namespace {

// Below this many rows of x packing costs more than it gains, against the engine's products; likewise below so many
// multiplications.
constexpr int64_t least_rows = 8;
constexpr int64_t least_work = 1 << 19;
constexpr int64_t least_gelu = 1 << 14;

// Of the one installation.
const gemm::Kernels* kernels = nullptr;
void (*engine_barrier)(ggml_threadpool*) = nullptr;
std::atomic<int64_t> computed{0};

// --- which nodes
// ------------------------------------------------------------------------------------------------------

bool is_rows_of_floats(const ggml_tensor* tensor) {
    return tensor->type == GGML_TYPE_F32 && tensor->nb[0] == sizeof(float) && tensor->nb[1] % sizeof(float) == 0;
}

// Not in an order of some buffer's own.
bool is_as_in_file(const ggml_tensor* tensor) {
    const ggml_backend_buffer_t buffer = tensor->view_src != nullptr ? tensor->view_src->buffer : tensor->buffer;
    return buffer == nullptr || ggml_backend_buffer_is_host(buffer);
}

bool can_multiply(const ggml_tensor* node) {
    const ggml_tensor* const w = node->src[0];
    const ggml_tensor* const x = node->src[1];
    const bool is_hadamard = node->op_params[1] == GGML_HINT_SRC0_IS_HADAMARD;
    if (is_hadamard || w->nb[0] != ggml_type_size(w->type) || !is_rows_of_floats(x) || !is_rows_of_floats(node) ||
        ggml_is_empty(node) || w->ne[0] == 0 || !is_as_in_file(w)) {
        return false;
    }
    if (x->ne[1] <= kernels->few_rows && gemm::Multiplier::takes_few_rows(*kernels, w->type, w->ne[0])) return true;
    return x->ne[1] >= least_rows && x->ne[1] * w->ne[1] * w->ne[0] >= least_work &&
           gemm::Multiplier::supports(*kernels, w->type, w->ne[0]);
}

bool is_large_and_flat(const ggml_tensor* node) {
    return node->type == GGML_TYPE_F32 && ggml_is_contiguous(node) && ggml_nelements(node) >= least_gelu;
}

bool can_compute(const ggml_tensor* node) {
    switch (node->op) {
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

// --- how they are computed
// --------------------------------------------------------------------------------------------

gemm::Multiplier multiplier_of(const ggml_tensor* node) {
    const ggml_tensor* const w = node->src[0];
    const bool is_computed = w->op != GGML_OP_NONE;
    return {*kernels, {w->type, is_computed, w->ne[1], w->ne[0], node->ne[1], node->ne[2] * node->ne[3]}};
}

// There is a product for each matrix of x; several of them may share one of w.
gemm::MatrixProduct product_of(const ggml_tensor* node, int64_t index) {
    const ggml_tensor* const w = node->src[0];
    const ggml_tensor* const x = node->src[1];
    const int64_t i2 = index % node->ne[2];
    const int64_t i3 = index / node->ne[2];
    const auto matrix = [](const ggml_tensor* tensor, int64_t at2, int64_t at3) {
        return static_cast<uint8_t*>(tensor->data) + static_cast<size_t>(at2) * tensor->nb[2] +
               static_cast<size_t>(at3) * tensor->nb[3];
    };
    return {{matrix(w, i2 * w->ne[2] / node->ne[2], i3 * w->ne[3] / node->ne[3]), w->nb[1], w->ne[1]},
            reinterpret_cast<const float*>(matrix(x, i2, i3)),
            static_cast<int64_t>(x->nb[1] / sizeof(float)),
            reinterpret_cast<float*>(matrix(node, i2, i3)),
            static_cast<int64_t>(node->nb[1] / sizeof(float))};
}

void compute_gelu(const gemm::Member& member, const ggml_tensor* node) {
    const bool is_gated = node->op == GGML_OP_GLU;
    gemm::gelu(*kernels, member, static_cast<const float*>(node->src[0]->data),
               is_gated ? static_cast<const float*>(node->src[1]->data) : nullptr, ggml_nelements(node),
               static_cast<float*>(node->data));
}

class NodeTraits : public ggml::cpu::tensor_traits {
  public:
    // Before the graph runs: how much memory the node wants for the time that it is computed.
    bool work_size(int threads, const ggml_tensor* node, size_t& size) override {
        size = node->op == GGML_OP_MUL_MAT ? multiplier_of(node).memory_size(threads) : 0;
        return true;
    }

    // On each of the engine's threads.
    bool compute_forward(ggml_compute_params* params, ggml_tensor* node) override {
        const std::function<void()> meet = [params] { engine_barrier(params->threadpool); };
        const gemm::Member member{params->ith, params->nth, meet};
        if (node->op == GGML_OP_MUL_MAT) {
            multiplier_of(node).multiply(
                member, [node](int64_t index) { return product_of(node, index); }, params->wdata);
        } else {
            compute_gelu(member, node);
        }
        if (params->ith == 0) ++computed;
        return true;
    }
};

// --- where the engine asks for them
// -----------------------------------------------------------------------------------

// Stands before one of the CPU backend's extra buffer types: these are asked about every node, wherever its weights
// are.
class Hook : public ggml::cpu::extra_buffer_type {
  public:
    explicit Hook(ggml::cpu::extra_buffer_type& behind) : behind_(behind) {}

    bool supports_op(ggml_backend_dev_t device, const ggml_tensor* node) override {
        return behind_.supports_op(device, node);
    }
    ggml::cpu::tensor_traits* get_tensor_traits(const ggml_tensor* node) override {
        return can_compute(node) ? &traits_ : behind_.get_tensor_traits(node);
    }

  private:
    ggml::cpu::extra_buffer_type& behind_;
    NodeTraits traits_;
};

template <class Function>
Function function_of(ggml_backend_reg_t registry, const char* name) {
    return reinterpret_cast<Function>(ggml_backend_reg_get_proc_address(registry, name));
}

// A function that the backend's library exports, but does not list.
void* exported_beside([[maybe_unused]] const void* symbol, [[maybe_unused]] const char* name) {
#ifdef _WIN32
    return nullptr;
#else
    Dl_info info{};
    if (dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) return nullptr;
    void* const library = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    if (library == nullptr) return nullptr;
    void* const found = dlsym(library, name);
    dlclose(library);  // our count of it, not the library
    return found;
#endif
}

void install() {
    const gemm::Kernels* const chosen = gemm::choose_kernels();
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (chosen == nullptr || cpu == nullptr) return;
    ggml_backend_reg_t registry = ggml_backend_dev_backend_reg(cpu);
    const auto get_extra =
        function_of<ggml_backend_dev_get_extra_bufts_t>(registry, "ggml_backend_dev_get_extra_bufts");
    if (get_extra == nullptr) return;
    ggml_backend_buffer_type_t* const types = get_extra(cpu);
    if (types == nullptr || *types == nullptr || (*types)->context == nullptr) return;
    engine_barrier = reinterpret_cast<void (*)(ggml_threadpool*)>(
        exported_beside(reinterpret_cast<const void*>(get_extra), "ggml_barrier"));
    if (engine_barrier == nullptr) return;
    kernels = chosen;
    // Never freed: the backend keeps it as long as the process lives.
    (*types)->context = new Hook(*static_cast<ggml::cpu::extra_buffer_type*>((*types)->context));
}

}  // namespace

void install_kernels() {
    static const bool once = (install(), true);
    static_cast<void>(once);
}

bool kernels_multiply(ggml_type type, int64_t columns) {
    return kernels != nullptr && gemm::Multiplier::supports(*kernels, type, columns) &&
           gemm::Multiplier::takes_few_rows(*kernels, type, columns);
}

bool kernels_beat(const char* buffer_type, ggml_type type, int64_t columns) {
    if (!kernels_multiply(type, columns)) return false;
    const bool is_tiles = std::strcmp(buffer_type, "AMX") == 0 && std::strcmp(kernels->name, "amx") == 0;
    return is_tiles || std::strcmp(buffer_type, "CPU_REPACK") == 0;
}

int64_t nodes_computed_by_kernels() {
    return computed;
}

}  // namespace instructblip
