// Threads that wait for work: for products that the engine's own threads take no part in.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace instructblip::gemm {

class Workers {
  public:
    Workers() = default;
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    // What runs for an item, on the thread of this index, below the number of threads.
    using Job = std::function<void(int64_t item, int thread)>;

    // Runs `job` for 0..items-1 on the calling thread and up to `threads` - 1 others; returns when all are done. Every
    // thread takes the next item when it has done one, so that those that the system does not run in time are done
    // without. The job must not throw. One call at a time.
    void run(int64_t items, int threads, const Job& job);

  private:
    void start(int count);
    void work(int index);
    void take_items(int thread);
    uint64_t wait_for_round_after(uint64_t round);
    bool enter(uint64_t round, int index);
    void leave();

    std::vector<std::thread> threads_;
    // Of the round that is open.
    const Job* job_ = nullptr;
    int64_t items_ = 0;
    std::atomic<int64_t> next_item_{0};

    std::atomic<uint64_t> state_{0};  // see State in workers.cpp
    std::atomic<int> sleeping_{0};    // helpers that must be woken
    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable done_;
};

}  // namespace instructblip::gemm
