// readGguf.
#pragma once

#include <napi.h>

namespace instructblip {

void define_gguf_functions(Napi::Env env, Napi::Object exports);

}  // namespace instructblip
