// The addon's entry: what src/native/addon.ts describes, put together.
#include <napi.h>

#include "cancel-token-object.h"
#include "engine-functions.h"
#include "environment.h"
#include "gguf-functions.h"
#include "image-functions.h"
#include "model-object.h"
#include "row-functions.h"
#include "vocabulary-object.h"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
    using namespace instructblip;
    Environment::install(env);
    exports.Set("CancelToken", CancelTokenObject::define(env));
    define_engine_functions(env, exports);
    define_row_functions(env, exports);
    define_gguf_functions(env, exports);
    define_image_functions(env, exports);
    ModelObject::define(env, exports);
    VocabularyObject::define(env, exports);
    return exports;
}

NODE_API_MODULE(instructblip, init)
