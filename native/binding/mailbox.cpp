#include "mailbox.h"

#include <memory>
#include <utility>

namespace instructblip {

Mailbox::Mailbox(Napi::Env env) : channel_(Channel::New(env, "instructblip", 0, 1)) {
    channel_.Unref(env);
}

void Mailbox::post(Message message) {
    auto owned = std::make_unique<Message>(std::move(message));
    const std::lock_guard<std::mutex> lock(mutex_);
    // deliver() takes ownership, also of what is still queued when the environment ends.
    if (closed_ || channel_.NonBlockingCall(owned.get()) != napi_ok) return;
    [[maybe_unused]] const Message* const delivered = owned.release();
}

void Mailbox::keep_process_alive(Napi::Env env, bool alive) {
    if (closed_) return;
    if (alive) {
        channel_.Ref(env);
    } else {
        channel_.Unref(env);
    }
}

void Mailbox::close() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return;
    closed_ = true;
    channel_.Abort();
}

void Mailbox::deliver(Napi::Env env, Napi::Function, std::nullptr_t*, Message* message) {
    const std::unique_ptr<Message> owned(message);
    if (env != nullptr) (*owned)(env);
}

}  // namespace instructblip
