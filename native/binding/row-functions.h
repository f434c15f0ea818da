// quantizeRows, dequantizeRows, rowByteLength.
#pragma once

#include <napi.h>

namespace instructblip {

void define_row_functions(Napi::Env env, Napi::Object exports);

}  // namespace instructblip
