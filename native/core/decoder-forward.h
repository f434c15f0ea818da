// The forward pass of a model whose decoder is a graph of ours (T5, OPT).
#pragma once

#include "cancel-token.h"
#include "decoder-model.h"
#include "forward-input.h"
#include "trace.h"

namespace instructblip {

// All rows at once; see LanguageModel::forward.
void forward(DecoderModel& model, const ForwardInput& input, const CancelToken& cancel, Trace& trace);

}  // namespace instructblip
