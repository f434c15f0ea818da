// Facts of a model as `NativeModelInfo`.
#pragma once

#include <napi.h>

#include <optional>

#include "instructblip.h"

namespace instructblip {

Napi::Object from_model_info(Napi::Env env, const InstructBlip& model);

// `NativeVocabulary`, or null.
Napi::Value from_vocabulary(Napi::Env env, const std::optional<Vocabulary>& vocabulary);

}  // namespace instructblip
