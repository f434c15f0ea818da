// resizeImage.
#pragma once

#include <napi.h>

namespace instructblip {

void define_image_functions(Napi::Env env, Napi::Object exports);

}  // namespace instructblip
