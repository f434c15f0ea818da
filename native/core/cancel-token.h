// Cancels work from another thread. Checked between graphs and, on the CPU, by ggml's abort callback inside them.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "error.h"

namespace instructblip {

class CancelToken {
  public:
    CancelToken() = default;
    // Cancelled by itself or with `parent`: one call of many that share a token can be ended alone.
    explicit CancelToken(std::shared_ptr<const CancelToken> parent) : parent_(std::move(parent)) {}

    void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
    bool cancelled() const { return cancelled_.load(std::memory_order_relaxed) || (parent_ && parent_->cancelled()); }
    void throw_if_cancelled() const {
        if (cancelled()) throw ModelError("ABORTED", "aborted");
    }

  private:
    std::atomic<bool> cancelled_{false};
    std::shared_ptr<const CancelToken> parent_;
};

}  // namespace instructblip
