// Facts of a model as `NativeModelInfo`.
#pragma once

#include <napi.h>

#include "instructblip.h"

namespace instructblip {

Napi::Object from_model_info(Napi::Env env, const InstructBlip& model);

}  // namespace instructblip
