// `NativeModel` for JavaScript, and loadModel.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>

#include "environment.h"
#include "instructblip.h"
#include "model-host.h"
#include "trace.h"

namespace instructblip {

class ModelObject : public Napi::ObjectWrap<ModelObject> {
  public:
    // Defines the class for this environment, and the function loadModel.
    static void define(Napi::Env env, Napi::Object exports);

    explicit ModelObject(const Napi::CallbackInfo& info);
    ~ModelObject() override;
    ModelObject(const ModelObject&) = delete;
    ModelObject& operator=(const ModelObject&) = delete;

  private:
    static Napi::Value load(const Napi::CallbackInfo& info);
    Napi::Object described();

    Napi::Value tokenize(const Napi::CallbackInfo& info);
    Napi::Value token_bytes(const Napi::CallbackInfo& info);
    Napi::Value encode_image(const Napi::CallbackInfo& info);
    Napi::Value query_image(const Napi::CallbackInfo& info);
    Napi::Value run_vision(const Napi::CallbackInfo& info);
    Napi::Value run_qformer(const Napi::CallbackInfo& info);
    Napi::Value run_language(const Napi::CallbackInfo& info);
    Napi::Value create_session(const Napi::CallbackInfo& info);
    Napi::Value dispose(const Napi::CallbackInfo& info);

    using StageRun = std::function<void(InstructBlip&, const CancelToken&, Trace&)>;
    Napi::Value run_stage(const Napi::Value& names, const Napi::Value& cancel, StageRun run);
    CallScope scope_of(const Napi::Value& cancel);

    std::shared_ptr<ModelHost> host_;
    Napi::ObjectReference disposal_;  // the promise of the first dispose()
};

}  // namespace instructblip
