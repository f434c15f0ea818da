#include "workers.h"

#include <algorithm>
#include <system_error>

namespace instructblip::gemm {
namespace {

// How often a thread looks before it sleeps: for some ten microseconds, about what waking costs.
constexpr int spins = 500;

// A round's number, how many helpers it has room for, whether one may still enter, and how many are inside.
struct State {
    static constexpr uint64_t open = 1U << 16;
    static uint64_t round(uint64_t state) { return state >> 32; }
    static int room(uint64_t state) { return static_cast<int>((state >> 17) & 0x7fff); }
    static uint64_t inside(uint64_t state) { return state & 0xffff; }
    static uint64_t next(uint64_t state, int room) {
        return (round(state) + 1) << 32 | static_cast<uint64_t>(room) << 17 | open;
    }
};

void pause() {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
    asm volatile("yield");
#endif
}

template <class Condition>
bool spin_until(const Condition& condition) {
    for (int i = 0; i < spins; ++i) {
        if (condition()) return true;
        pause();
    }
    return false;
}

}  // namespace

Workers::~Workers() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void Workers::start(int count) {
    if (count > 0) threads_.reserve(static_cast<size_t>(count));
    while (static_cast<int>(threads_.size()) < count) {
        const int index = static_cast<int>(threads_.size());
        try {
            threads_.emplace_back([this, index] { work(index); });
        } catch (const std::system_error&) {
            return;
        }
    }
}

void Workers::take_items(int thread) {
    for (int64_t item = next_item_++; item < items_; item = next_item_++) (*job_)(item, thread);
}

void Workers::run(int64_t items, int threads, const Job& job) {
    job_ = &job;
    items_ = items;
    next_item_ = 0;
    const auto helpers = static_cast<int>(std::min<int64_t>(threads, items)) - 1;
    start(helpers);
    if (helpers <= 0) return take_items(0);
    state_ = State::next(state_, helpers);
    if (sleeping_ > 0) {
        const std::lock_guard<std::mutex> lock(mutex_);
        wake_.notify_all();
    }
    take_items(0);
    state_ &= ~State::open;
    const auto is_empty = [this] { return State::inside(state_) == 0; };
    if (spin_until(is_empty)) return;
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, is_empty);
}

uint64_t Workers::wait_for_round_after(uint64_t round) {
    const auto changed = [&] { return stop_ || State::round(state_) != round; };
    if (!spin_until(changed)) {
        std::unique_lock<std::mutex> lock(mutex_);
        ++sleeping_;
        wake_.wait(lock, changed);
        --sleeping_;
    }
    return State::round(state_);
}

// Whether the round is still open, and this helper one of those that it has room for.
bool Workers::enter(uint64_t round, int index) {
    uint64_t state = state_;
    do {
        const bool is_open = State::round(state) == round && (state & State::open) != 0;
        if (!is_open || index >= State::room(state)) return false;
    } while (!state_.compare_exchange_weak(state, state + 1));
    return true;
}

void Workers::leave() {
    const uint64_t state = --state_;
    if (State::inside(state) > 0 || (state & State::open) != 0) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    done_.notify_one();
}

void Workers::work(int index) {
    for (uint64_t round = 0;;) {
        round = wait_for_round_after(round);
        if (stop_) return;
        if (!enter(round, index)) continue;
        take_items(index + 1);
        leave();
    }
}

}  // namespace instructblip::gemm
