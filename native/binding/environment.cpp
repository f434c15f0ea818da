#include "environment.h"

#include <algorithm>
#include <utility>

#include "convert.h"
#include "engine.h"
#include "error.h"

namespace instructblip {

Settle settle_floats(std::vector<float> values) {
    return [shared = std::make_shared<const std::vector<float>>(std::move(values))](Napi::Env env) -> Napi::Value {
        return from_floats(env, *shared);
    };
}

void Environment::install(Napi::Env env) {
    auto* environment = new Environment(env);  // owned by the environment's instance data
    env.SetInstanceData(environment);
    // Hooks run last in, first out: ours comes before the mailbox's channel is torn down.
    napi_add_env_cleanup_hook(env, [](void* self) { static_cast<Environment*>(self)->shut_down(); }, environment);
}

Environment& Environment::of(Napi::Env env) {
    return *env.GetInstanceData<Environment>();
}

Environment::Environment(Napi::Env env) : mailbox_(std::make_shared<Mailbox>(env)), worker_(make_queue()) {}

std::shared_ptr<JobQueue> Environment::make_queue() {
    auto queue = std::make_shared<JobQueue>();
    queues_.erase(std::remove_if(queues_.begin(), queues_.end(), [](const auto& other) { return other.expired(); }),
                  queues_.end());
    queues_.push_back(queue);
    return queue;
}

Napi::Promise Environment::call(JobQueue& queue, const CallScope& scope, Work work) {
    const Napi::Env env = scope.keep_alive.Env();
    const uint64_t id = next_call_++;
    Call call{Napi::Promise::Deferred::New(env),  scope.owner, std::make_shared<CancelToken>(scope.cancel),
              Napi::Persistent(scope.keep_alive), {},          {}};
    if (!scope.on_progress.IsEmpty()) call.on_progress = Napi::Persistent(scope.on_progress);
    const Napi::Promise promise = call.deferred.Promise();
    const std::shared_ptr<CancelToken> cancel = call.cancel;
    calls_.emplace(id, std::move(call));
    if (calls_.size() == 1) mailbox_->keep_process_alive(env, true);

    // The job knows this environment only through the mailbox: messages to one that has ended are dropped.
    auto job = [this, mailbox = mailbox_, id, cancel, work = std::move(work)] {
        Outcome outcome;
        try {
            cancel->throw_if_cancelled();
            outcome.settle = work(*cancel, [&](const std::string& stage, double loaded, double total) {
                mailbox->post([this, id, stage, loaded, total](Napi::Env) { report(id, stage, loaded, total); });
            });
        } catch (...) {
            outcome.error = std::current_exception();
        }
        mailbox->post([this, id, outcome = std::move(outcome)](Napi::Env current) { settle(current, id, outcome); });
    };
    try {
        if (!queue.push(std::move(job))) throw ModelError("DISPOSED", "the model was disposed");
    } catch (...) {
        settle(env, id, {nullptr, std::current_exception()});
    }
    return promise;
}

void Environment::dispose_calls_of(const void* owner) {
    for (auto& [id, call] : calls_) {
        if (call.owner != owner) continue;
        call.disposed = true;
        call.cancel->cancel();
    }
}

void Environment::report(uint64_t id, const std::string& stage, double loaded, double total) {
    const auto found = calls_.find(id);
    if (found == calls_.end() || found->second.on_progress.IsEmpty() || found->second.cancel->cancelled()) return;
    const Napi::Env env = found->second.on_progress.Env();
    const Napi::HandleScope scope(env);
    try {
        found->second.on_progress.Value().Call(
            {Napi::String::New(env, stage), Napi::Number::New(env, loaded), Napi::Number::New(env, total)});
    } catch (const Napi::Error& error) {
        // The callback may have started or ended other calls: look again.
        const auto again = calls_.find(id);
        if (again == calls_.end()) return;
        again->second.thrown = error;
        again->second.cancel->cancel();
    }
}

void Environment::settle(Napi::Env env, uint64_t id, const Outcome& outcome) {
    auto node = calls_.extract(id);
    if (node.empty()) return;
    Call& call = node.mapped();
    if (calls_.empty()) mailbox_->keep_process_alive(env, false);
    const Napi::HandleScope scope(env);
    try {
        if (outcome.error || call.thrown || call.disposed) {
            call.deferred.Reject(rejection(env, call, outcome.error).Value());
        } else {
            call.deferred.Resolve(guarded(env, [&] { return outcome.settle(env); }));
        }
    } catch (const Napi::Error& error) {
        // No memory for the result, or the environment is ending and takes no more values.
        try {
            call.deferred.Reject(error.Value());
        } catch (const Napi::Error&) {
            return;
        }
    }
}

Napi::Error Environment::rejection(Napi::Env env, const Call& call, const std::exception_ptr& error) {
    if (call.thrown) return *call.thrown;
    if (call.disposed) {
        return to_js_error(env, std::make_exception_ptr(ModelError("DISPOSED", "disposed while the call was running")));
    }
    return to_js_error(env, error);
}

void Environment::set_log_listener(const Napi::Value& listener) {
    remove_log_listener(std::exchange(log_subscription_, 0));
    log_listener_.Reset();
    if (listener.IsNull()) return;
    if (!listener.IsFunction()) throw_wrong_type("listener", "a function or null");
    log_listener_ = Napi::Persistent(listener.As<Napi::Function>());
    log_subscription_ = add_log_listener([this, mailbox = mailbox_](int level, const std::string& text) {
        mailbox->post([this, level, text](Napi::Env current) {
            if (log_listener_.IsEmpty()) return;
            const Napi::HandleScope scope(current);
            log_listener_.Value().Call({Napi::Number::New(current, level), Napi::String::New(current, text)});
        });
    });
}

void Environment::shut_down() {
    remove_log_listener(std::exchange(log_subscription_, 0));
    mailbox_->close();
    for (auto& [id, call] : calls_) call.cancel->cancel();
    for (const auto& weak : queues_) {
        if (const auto queue = weak.lock()) queue->stop();
    }
    calls_.clear();
}

}  // namespace instructblip
