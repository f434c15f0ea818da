// initialize, shutDown, setLogListener.
#pragma once

#include <napi.h>

namespace instructblip {

void define_engine_functions(Napi::Env env, Napi::Object exports);

}  // namespace instructblip
