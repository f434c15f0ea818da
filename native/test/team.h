// Threads that compute something together, as the engine's do.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "gemm/matrix-product.h"

namespace team {

// Runs `work` once on each of so many threads.
inline void run(int threads, const std::function<void(const instructblip::gemm::Member&)>& work) {
    std::atomic<int> arrived{0};
    std::atomic<int> round{0};
    const std::function<void()> meet = [&] {
        const int mine = round;
        if (++arrived == threads) {
            arrived = 0;
            ++round;
            return;
        }
        while (round == mine) std::this_thread::yield();
    };
    std::vector<std::thread> others;
    for (int thread = 1; thread < threads; ++thread) {
        others.emplace_back([&, thread] { work({thread, threads, meet}); });
    }
    work({0, threads, meet});
    for (std::thread& other : others) other.join();
}

}  // namespace team
