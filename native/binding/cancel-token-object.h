// `CancelToken` for JavaScript.
#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "cancel-token.h"

namespace instructblip {

class CancelTokenObject : public Napi::ObjectWrap<CancelTokenObject> {
  public:
    static Napi::Function define(Napi::Env env);
    explicit CancelTokenObject(const Napi::CallbackInfo& info);

    // The token behind an argument; anything but a CancelToken throws.
    static std::shared_ptr<const CancelToken> unwrap(const Napi::Value& value, const std::string& name);

  private:
    void cancel(const Napi::CallbackInfo& info);

    std::shared_ptr<CancelToken> token_ = std::make_shared<CancelToken>();
};

}  // namespace instructblip
