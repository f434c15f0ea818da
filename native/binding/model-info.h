// Facts of a model as `NativeModelInfo`.
#pragma once

#include <napi.h>

#include <optional>

#include "instructblip.h"

namespace instructblip {

Napi::Object from_model_info(Napi::Env env, const InstructBlip& model);

// What is known before anything is loaded: `NativePairInfo`.
Napi::Object from_model_facts(Napi::Env env, const ModelFacts& facts);

// `NativeVocabulary`, or null.
Napi::Value from_vocabulary(Napi::Env env, const std::optional<Vocabulary>& vocabulary);

}  // namespace instructblip
