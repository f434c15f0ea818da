#include "activation.h"

#include <array>
#include <cmath>
#include <utility>

#include "error.h"

namespace instructblip {
namespace {

const std::array<std::pair<const char*, Activation>, 4> names = {{{"gelu", Activation::gelu},
                                                                  {"gelu_new", Activation::gelu_new},
                                                                  {"relu", Activation::relu},
                                                                  {"silu", Activation::silu}}};

// x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))). ggml's own looks it up in a table of F16 values.
ggml_tensor* gelu_by_tanh(ggml_context* context, ggml_tensor* x) {
    const float scale = std::sqrt(2.0F / 3.14159265358979F);
    ggml_tensor* inner = ggml_scale_bias(context, ggml_sqr(context, x), 0.044715F * scale, scale);
    inner = ggml_tanh(context, ggml_mul(context, inner, x));
    return ggml_mul(context, ggml_scale_bias(context, inner, 0.5F, 0.5F), x);
}

}  // namespace

Activation read_activation(const GgufFile& file, const std::string& key) {
    if (file.find(key) == nullptr) return Activation::gelu;
    const std::string& name = file.require_string(key);
    for (const auto& [known, activation] : names) {
        if (name == known) return activation;
    }
    throw ModelError("MODEL_FILE_UNSUPPORTED", "model file " + file.path() + " is not supported: " + key + " is '" +
                                                   name.substr(0, 60) +
                                                   "'; 'gelu', 'gelu_new', 'relu' and 'silu' are implemented");
}

ggml_tensor* activate(Graph& graph, ggml_tensor* x, Activation activation) {
    switch (activation) {
        case Activation::gelu:
            return ggml_gelu_erf(graph.context(), x);
        case Activation::gelu_new:
            return gelu_by_tanh(graph.context(), x);
        case Activation::relu:
            return ggml_relu(graph.context(), x);
        default:
            return ggml_silu(graph.context(), x);
    }
}

ggml_tensor* activate_gated(Graph& graph, ggml_tensor* gate, ggml_tensor* x, Activation activation) {
    if (activation == Activation::gelu) return ggml_geglu_erf_split(graph.context(), gate, x);
    return ggml_mul(graph.context(), activate(graph, gate, activation), x);
}

}  // namespace instructblip
