// Cancels work from another thread. Checked between graphs and, on the CPU, by ggml's abort callback inside them.
#pragma once

#include <atomic>

#include "error.h"

namespace instructblip {

class CancelToken {
  public:
    void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
    bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
    void throw_if_cancelled() const {
        if (cancelled()) throw ModelError("ABORTED", "aborted");
    }

  private:
    std::atomic<bool> cancelled_{false};
};

}  // namespace instructblip
