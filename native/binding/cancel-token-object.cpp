#include "cancel-token-object.h"

#include "convert.h"

namespace instructblip {
namespace {
// Tells our objects from any other that could be handed in.
constexpr napi_type_tag type_tag = {0x6c2f1de0b9a24f3bULL, 0x9d51c9f1a3c7e802ULL};
}  // namespace

Napi::Function CancelTokenObject::define(Napi::Env env) {
    return DefineClass(env, "CancelToken", {InstanceMethod<&CancelTokenObject::cancel>("cancel")});
}

CancelTokenObject::CancelTokenObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    info.This().As<Napi::Object>().TypeTag(&type_tag);
}

std::shared_ptr<const CancelToken> CancelTokenObject::unwrap(const Napi::Value& value, const std::string& name) {
    if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&type_tag)) throw_wrong_type(name, "a CancelToken");
    return Unwrap(value.As<Napi::Object>())->token_;
}

void CancelTokenObject::cancel(const Napi::CallbackInfo&) {
    token_->cancel();
}

}  // namespace instructblip
