// The way back to a JavaScript thread: what any thread posts runs there, in order, until the mailbox is closed.
#pragma once

#include <napi.h>

#include <functional>
#include <mutex>

namespace instructblip {

class Mailbox {
  public:
    using Message = std::function<void(Napi::Env)>;

    explicit Mailbox(Napi::Env env);
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    // From any thread. Dropped when closed.
    void post(Message message);

    // From the JavaScript thread: whether waiting for messages keeps the process alive.
    void keep_process_alive(Napi::Env env, bool alive);

    // From the JavaScript thread, before its environment ends: nothing is delivered from here on.
    void close();

  private:
    static void deliver(Napi::Env env, Napi::Function callback, std::nullptr_t* context, Message* message);
    using Channel = Napi::TypedThreadSafeFunction<std::nullptr_t, Message, deliver>;

    std::mutex mutex_;
    bool closed_ = false;
    Channel channel_;
};

}  // namespace instructblip
