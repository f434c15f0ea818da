#include "threads.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "error.h"

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#define NOMINMAX
#include <windows.h>
#endif

namespace instructblip {
namespace {

constexpr int most_threads = 512;  // GGML_MAX_N_THREADS

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

// quota / period in whole CPUs; 0 = no limit.
int whole_cpus(double quota, double period) {
    if (!(quota > 0) || !(period > 0)) return 0;
    return static_cast<int>(std::clamp(quota / period, 1.0, 1e6));
}

int stricter(int a, int b) {
    return a == 0 ? b : b == 0 ? a : std::min(a, b);
}

// Version 2: `MAX PERIOD`, where MAX may be `max`.
int quota_v2(const std::string& directory) {
    std::istringstream line(first_line(directory + "/cpu.max"));
    double quota = 0;
    double period = 0;
    if (!(line >> quota >> period)) return 0;
    return whole_cpus(quota, period);
}

int quota_v1(const std::string& directory) {
    std::istringstream quota_line(first_line(directory + "/cpu.cfs_quota_us"));
    std::istringstream period_line(first_line(directory + "/cpu.cfs_period_us"));
    double quota = 0;
    double period = 0;
    if (!(quota_line >> quota) || !(period_line >> period)) return 0;
    return whole_cpus(quota, period);
}

// The strictest quota of a group and its ancestors. In a container the path may be the host's, which does not exist
// inside: then the mount itself is the group.
template <class Quota>
int strictest_quota(const std::string& mount, std::string group, const Quota& quota) {
    int limit = quota(mount);
    while (!group.empty() && group != "/") {
        limit = stricter(limit, quota(mount + group));
        group.erase(group.rfind('/'));
    }
    return limit;
}

bool has_cpu_controller(const std::string& controllers) {
    std::istringstream list(controllers);
    for (std::string name; std::getline(list, name, ',');) {
        if (name == "cpu") return true;
    }
    return false;
}

int system_cores() {
#if defined(__linux__)
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> cpus;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
        }
    }
    // More CPUs than the set holds: count what the library sees.
    const int cores = cpus.empty() ? static_cast<int>(std::thread::hardware_concurrency())
                                   : count_cores(cpus, "/sys/devices/system/cpu");
    return stricter(cores, quota_limit("/proc/self/cgroup", "/sys/fs/cgroup"));
#elif defined(__APPLE__)
    // Performance cores where the machine has two kinds: a product waits for its slowest thread.
    int count = 0;
    size_t size = sizeof(count);
    if (sysctlbyname("hw.perflevel0.physicalcpu", &count, &size, nullptr, 0) == 0 && count > 0) return count;
    size = sizeof(count);
    if (sysctlbyname("hw.physicalcpu", &count, &size, nullptr, 0) == 0 && count > 0) return count;
    return static_cast<int>(std::thread::hardware_concurrency());
#elif defined(_WIN32)
    DWORD_PTR process = 0;
    DWORD_PTR system = 0;
    GetProcessAffinityMask(GetCurrentProcess(), &process, &system);
    DWORD bytes = 0;
    GetLogicalProcessorInformation(nullptr, &bytes);
    std::vector<SYSTEM_LOGICAL_PROCESSOR_INFORMATION> entries(bytes / sizeof(SYSTEM_LOGICAL_PROCESSOR_INFORMATION));
    if (entries.empty() || !GetLogicalProcessorInformation(entries.data(), &bytes)) {
        return static_cast<int>(std::thread::hardware_concurrency());
    }
    return static_cast<int>(std::count_if(entries.begin(), entries.end(), [&](const auto& entry) {
        return entry.Relationship == RelationProcessorCore && (process == 0 || (entry.ProcessorMask & process) != 0);
    }));
#else
    return static_cast<int>(std::thread::hardware_concurrency());
#endif
}

}  // namespace

int count_cores(const std::vector<int>& cpus, const std::string& cpu_directory) {
    // Hardware threads of one core name the same set of siblings.
    std::set<std::string> cores;
    for (const int cpu : cpus) {
        const std::string topology = cpu_directory + "/cpu" + std::to_string(cpu) + "/topology/";
        std::string siblings = first_line(topology + "core_cpus_list");
        if (siblings.empty()) siblings = first_line(topology + "thread_siblings_list");  // kernels before 5.3
        cores.insert(siblings.empty() ? "cpu" + std::to_string(cpu) : siblings);
    }
    return static_cast<int>(cores.size());
}

int quota_limit(const std::string& membership, const std::string& mount) {
    std::ifstream file(membership);
    int limit = 0;
    // hierarchy:controllers:path
    for (std::string line; std::getline(file, line);) {
        const size_t first = line.find(':');
        const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const std::string group = line.substr(second + 1);
        if (group.empty() || group[0] != '/') continue;
        if (controllers.empty()) {
            limit = stricter(limit, strictest_quota(mount, group, quota_v2));
        } else if (has_cpu_controller(controllers)) {
            limit = stricter(limit, strictest_quota(mount + "/cpu", group, quota_v1));
        }
    }
    return limit;
}

int default_thread_count() {
    return std::clamp(system_cores(), 1, most_threads);
}

int thread_count(int requested) {
    if (requested < 0 || requested > most_threads) {
        throw ModelError("OPTION_INVALID", "threads must be in 0.." + std::to_string(most_threads) +
                                               " (0 = physical cores), not " + std::to_string(requested));
    }
    return requested == 0 ? default_thread_count() : requested;
}

int useful_threads(int available, const GraphWork& work) {
    // Of one thread; only the order of magnitude matters.
    constexpr double multiply_adds_per_ms = 30e6;
    constexpr double bytes_per_ms = 10e6;
    constexpr double least_ms = 2;  // for each thread
    const double ms = work.multiply_adds / multiply_adds_per_ms + work.bytes / bytes_per_ms;
    return static_cast<int>(std::clamp(ms / least_ms, 1.0, static_cast<double>(available)));
}

}  // namespace instructblip
