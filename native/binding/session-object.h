// `NativeSession` for JavaScript.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>

#include "environment.h"
#include "model-host.h"

namespace instructblip {

class SessionObject : public Napi::ObjectWrap<SessionObject> {
  public:
    static Napi::Function define(Napi::Env env);

    // A session of `model`, the JavaScript object of `host`. Throws CONTEXT_LENGTH_EXCEEDED, DISPOSED.
    static Napi::Object create(const Napi::Object& model, const std::shared_ptr<ModelHost>& host, int32_t cells,
                               int32_t sequences);

    explicit SessionObject(const Napi::CallbackInfo& info);
    ~SessionObject() override;
    SessionObject(const SessionObject&) = delete;
    SessionObject& operator=(const SessionObject&) = delete;

  private:
    Napi::Value prefill(const Napi::CallbackInfo& info);
    Napi::Value decode(const Napi::CallbackInfo& info);
    void dispose(const Napi::CallbackInfo& info);

    void require_open() const;
    CallScope scope_of(const Napi::Value& cancel);

    Napi::ObjectReference model_;  // not collected while a session lives
    std::shared_ptr<ModelHost> host_;
    std::shared_ptr<SessionHost> session_;
};

}  // namespace instructblip
