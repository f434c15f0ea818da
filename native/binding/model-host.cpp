#include "model-host.h"

#include <algorithm>

#include "error.h"

namespace instructblip {

InstructBlip& ModelHost::require() const {
    if (ended_ || !loaded) throw ModelError("DISPOSED", "the model was disposed");
    return *model;
}

void ModelHost::require_open(const SessionHost& session) const {
    require();
    if (session.ended) throw ModelError("DISPOSED", "the session has been disposed");
}

std::shared_ptr<SessionHost> ModelHost::create_session(int32_t cells, int32_t sequences) {
    auto session = std::make_shared<SessionHost>();
    session->session = require().language_model().create_session(cells, sequences);
    sessions_.erase(std::remove_if(sessions_.begin(), sessions_.end(), [](const auto& old) { return old.expired(); }),
                    sessions_.end());
    sessions_.push_back(session);
    return session;
}

void ModelHost::end_session(const std::shared_ptr<SessionHost>& session) const {
    if (session->ended) return;
    session->ended = true;
    session->session->release();
    // When the queue has stopped, the session goes with its last holder: no other thread is left to disturb.
    queue->push([session] { session->session.reset(); });
}

void ModelHost::end() {
    ended_ = true;
    for (const auto& weak : sessions_) {
        if (const auto session = weak.lock()) end_session(session);
    }
}

}  // namespace instructblip
