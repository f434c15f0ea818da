#include "session-object.h"

#include <utility>
#include <vector>

#include "cancel-token-object.h"
#include "convert.h"
#include "error.h"

namespace instructblip {

Napi::Function SessionObject::define(Napi::Env env) {
    return DefineClass(
        env, "Session",
        {InstanceMethod<&SessionObject::prefill>("prefill"), InstanceMethod<&SessionObject::decode>("decode"),
         InstanceMethod<&SessionObject::dispose>("dispose")});
}

SessionObject::SessionObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

SessionObject::~SessionObject() {
    if (session_) host_->end_session(session_);
}

Napi::Object SessionObject::create(const Napi::Object& model, const std::shared_ptr<ModelHost>& host, int32_t cells,
                                   int32_t sequences) {
    // The object first: a session that found no owner would be destroyed here, while the engine thread computes.
    Napi::Object object = Environment::of(model.Env()).session_class.New({});
    SessionObject* const self = Unwrap(object);
    self->model_ = Napi::Persistent(model);
    self->host_ = host;
    self->session_ = host->create_session(cells, sequences);
    return object;
}

void SessionObject::require_open() const {
    if (!session_) throw ModelError("OPTION_INVALID", "sessions come from createSession()");
    host_->require_open(*session_);
}

CallScope SessionObject::scope_of(const Napi::Value& cancel) {
    return {host_.get(), Value(), CancelTokenObject::unwrap(cancel, "cancel"), {}};
}

Napi::Value SessionObject::prefill(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        require_open();
        Prompt prompt{to_floats(info[0], "softTokens"), to_ints(info[1], "tokens"), to_ints(info[2], "answerStart")};
        auto work = [session = session_, prompt = std::move(prompt)](const CancelToken& cancel,
                                                                     const Progress&) -> Settle {
            std::vector<float> logits;
            session->session->prefill(prompt, cancel, logits);
            return settle_floats(std::move(logits));
        };
        return Environment::of(info.Env()).call(*host_->queue, scope_of(info[3]), std::move(work));
    });
}

Napi::Value SessionObject::decode(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        require_open();
        const bool identity = info[1].IsNull() || info[1].IsUndefined();
        auto work = [session = session_, tokens = to_ints(info[0], "tokens"),
                     parents = identity ? std::vector<int32_t>() : to_ints(info[1], "parents")](
                        const CancelToken& cancel, const Progress&) -> Settle {
            std::vector<float> logits;
            session->session->decode(tokens, parents, cancel, logits);
            return settle_floats(std::move(logits));
        };
        return Environment::of(info.Env()).call(*host_->queue, scope_of(info[2]), std::move(work));
    });
}

void SessionObject::dispose(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] {
        if (session_) host_->end_session(session_);
    });
}

}  // namespace instructblip
