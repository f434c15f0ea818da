// A loaded model with the one thread that works on it, and the sessions that live in it. Knows nothing of JavaScript
// but its thread: all but what `model` and `session` point to belongs to the JavaScript thread.
#pragma once

#include <memory>
#include <vector>

#include "instructblip.h"
#include "job-queue.h"

namespace instructblip {

// A session, shared by its JavaScript object and the jobs in flight.
struct SessionHost {
    std::unique_ptr<LanguageModelSession> session;  // destroyed on the engine thread
    bool ended = false;
};

class ModelHost {
  public:
    explicit ModelHost(std::shared_ptr<JobQueue> jobs) : queue(std::move(jobs)) {}

    // The model, for calls that need no engine thread. Throws DISPOSED.
    InstructBlip& require() const;
    void require_open(const SessionHost& session) const;

    std::shared_ptr<SessionHost> create_session(int32_t cells, int32_t sequences);

    // Gives the session's share back at once; what is in the cache goes after the work in flight.
    void end_session(const std::shared_ptr<SessionHost>& session) const;

    // No call after this. The sessions end; the model itself is freed by a job or by the owner.
    void end();

    bool ended() const { return ended_; }

    const std::shared_ptr<JobQueue> queue;
    std::unique_ptr<InstructBlip> model;  // made, used and freed by jobs
    bool loaded = false;

  private:
    std::vector<std::weak_ptr<SessionHost>> sessions_;
    bool ended_ = false;
};

}  // namespace instructblip
