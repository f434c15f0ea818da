// The activations of feed-forwards, by the names of Hugging Face's configurations.
#pragma once

#include <ggml.h>

#include <string>

#include "gguf-file.h"
#include "graph.h"

namespace instructblip {

enum class Activation {
    gelu,      // exact, by the error function
    gelu_new,  // approximated by tanh
    relu,
    silu,
};

// Of key `key`; `gelu`, which all published InstructBLIP checkpoints have, where it is missing.
// Throws MODEL_FILE_KEY_INVALID, MODEL_FILE_UNSUPPORTED.
Activation read_activation(const GgufFile& file, const std::string& key);

ggml_tensor* activate(Graph& graph, ggml_tensor* x, Activation activation);

// activation(gate) · x
ggml_tensor* activate_gated(Graph& graph, ggml_tensor* gate, ggml_tensor* x, Activation activation);

}  // namespace instructblip
