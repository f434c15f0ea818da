// How many threads the engine computes with.
#pragma once

#include <string>
#include <vector>

namespace instructblip {

// Physical cores that this process may use: its CPU affinity and its control group's quota respected, the hardware
// threads of one core counted once. At least 1.
int default_thread_count();

// `requested`, or the default for 0. Throws OPTION_INVALID outside 0..512 (the engine's limit).
int thread_count(int requested);

// What a graph costs: multiplications, and bytes of weights that they read.
struct GraphWork {
    double multiply_adds = 0;
    double bytes = 0;
};

// Of `available` threads, those that shorten the work: threads wait for each other at every step of a graph, spinning,
// which costs more than it gains in small graphs, and a hundredfold where other programs want the cores too.
int useful_threads(int available, const GraphWork& work);

// Parts of the above, on their own for tests.
// Cores behind these logical CPUs; `cpu_directory` is /sys/devices/system/cpu.
int count_cores(const std::vector<int>& cpus, const std::string& cpu_directory);
// CPUs that the control group's quota allows, rounded down but at least 1; 0 = no limit. `membership` is
// /proc/self/cgroup, `mount` is /sys/fs/cgroup. Versions 1 and 2.
int quota_limit(const std::string& membership, const std::string& mount);

}  // namespace instructblip
