// How fast this machine's memory is read: the bound of decoding, which reads every weight once a token. Prints bytes a
// second, the best of several passes over more memory than any cache holds.
//
//   memory-speed <threads>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

constexpr size_t total_words = size_t{1} << 27;  // 1 GiB
constexpr int passes = 8;

// Several sums at once, which the compiler makes wide loads of.
uint64_t sum(const uint64_t* words, size_t count) {
    uint64_t sums[64] = {};
    for (size_t i = 0; i + 64 <= count; i += 64) {
        for (size_t lane = 0; lane < 64; ++lane) sums[lane] += words[i + lane];
    }
    uint64_t result = 0;
    for (const uint64_t value : sums) result += value;
    return result;
}

}  // namespace

int main(int argc, char** argv) {
    const auto threads = static_cast<size_t>(argc > 1 ? std::max(1, std::atoi(argv[1])) : 1);
    const std::vector<uint64_t> memory(total_words, 1);
    const size_t share = total_words / threads;
    std::vector<uint64_t> sums(threads);
    double best = 0;
    for (int pass = 0; pass < passes; ++pass) {
        const auto start = std::chrono::steady_clock::now();
        std::vector<std::thread> workers;
        for (size_t i = 0; i < threads; ++i) {
            workers.emplace_back([&, i] { sums[i] = sum(memory.data() + i * share, share); });
        }
        for (std::thread& worker : workers) worker.join();
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
        best = std::max(best, static_cast<double>(threads * share * sizeof(uint64_t)) / time.count());
    }
    for (const uint64_t value : sums) {
        if (value != share) return 1;
    }
    std::printf("%.0f\n", best);
    return 0;
}
