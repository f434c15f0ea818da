// What belongs to one JavaScript environment (the main thread, each worker_thread): pending calls, the threads that
// serve them, and the end of both. There is no other state in the binding.
#pragma once

#include <napi.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "cancel-token.h"
#include "job-queue.h"
#include "mailbox.h"

namespace instructblip {

// Makes a call's result, on the JavaScript thread.
using Settle = std::function<Napi::Value(Napi::Env)>;
// Reports to the call's progress callback, from the thread of the work.
using Progress = std::function<void(const std::string& stage, double loaded, double total)>;
// The work itself, on the queue's thread. Throws ModelError.
using Work = std::function<Settle(const CancelToken& cancel, const Progress& progress)>;

// Settles a call with an array of floats.
Settle settle_floats(std::vector<float> values);

// Who may end a call early: the object it runs on (by address), and the caller's token.
struct CallScope {
    const void* owner = nullptr;
    Napi::Object keep_alive;  // not collected while the call is pending
    std::shared_ptr<const CancelToken> cancel;
    Napi::Function on_progress;  // may be empty
};

class Environment {
  public:
    static void install(Napi::Env env);
    static Environment& of(Napi::Env env);

    // A queue that is stopped when the environment ends.
    std::shared_ptr<JobQueue> make_queue();
    // For conversion of rows and other work without a model.
    JobQueue& worker() { return *worker_; }

    // Runs `work` on `queue`; the promise settles on the JavaScript thread.
    Napi::Promise call(JobQueue& queue, const CallScope& scope, Work work);

    // Cancels what `owner` has pending; it rejects with DISPOSED.
    void dispose_calls_of(const void* owner);

    void set_log_listener(const Napi::Value& listener);

    // Ends all work and its threads; pending calls never settle. No call works after it.
    void shut_down();

    Napi::FunctionReference model_class;
    Napi::FunctionReference session_class;
    Napi::FunctionReference vocabulary_class;

  private:
    struct Call {
        Napi::Promise::Deferred deferred;
        const void* owner;
        std::shared_ptr<CancelToken> cancel;
        Napi::ObjectReference keep_alive;
        Napi::FunctionReference on_progress;
        std::optional<Napi::Error> thrown;  // by the progress callback
        bool disposed = false;
    };
    struct Outcome {
        Settle settle;
        std::exception_ptr error;
    };

    explicit Environment(Napi::Env env);

    void report(uint64_t id, const std::string& stage, double loaded, double total);
    void settle(Napi::Env env, uint64_t id, const Outcome& outcome);
    static Napi::Error rejection(Napi::Env env, const Call& call, const std::exception_ptr& error);

    std::shared_ptr<Mailbox> mailbox_;
    std::vector<std::weak_ptr<JobQueue>> queues_;
    std::shared_ptr<JobQueue> worker_;  // made by make_queue(): after queues_
    std::unordered_map<uint64_t, Call> calls_;
    uint64_t next_call_ = 0;
    Napi::FunctionReference log_listener_;
    int log_subscription_ = 0;
};

}  // namespace instructblip
