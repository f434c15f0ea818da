// The forward pass of a LLaMA, through libllama.
#pragma once

#include "cancel-token.h"
#include "compute.h"
#include "forward-input.h"
#include "llama-language-model.h"
#include "trace.h"

namespace instructblip {

// All rows at once, in a context of its own on the weights of `context`; see LanguageModel::forward.
void forward(const LlamaContext& context, const Compute& compute, const ForwardInput& input, const CancelToken& cancel,
             Trace& trace);

}  // namespace instructblip
