// Counting cores and quotas, in made-up copies of the kernel's files.
#include "threads.h"

#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>

#include "check.h"

using namespace instructblip;
namespace fs = std::filesystem;

namespace {

class Folder {
  public:
    Folder() : path_(fs::temp_directory_path() / ("instructblip-threads-" + std::to_string(std::rand()))) {
        fs::create_directories(path_);
    }
    ~Folder() {
        std::error_code error;
        fs::remove_all(path_, error);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::string path(const std::string& name = "") const { return (path_ / name).string(); }
    void write(const std::string& name, const std::string& text) const {
        fs::create_directories((path_ / name).parent_path());
        std::ofstream(path_ / name) << text << '\n';
    }

  private:
    fs::path path_;
};

std::vector<int> cpus(int count) {
    std::vector<int> all(static_cast<size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

void test_cores() {
    const Folder sys;
    // Four cores of two hardware threads, numbered as Intel does: 0-3, then their siblings 4-7.
    for (int cpu = 0; cpu < 8; ++cpu) {
        const std::string siblings = std::to_string(cpu % 4) + "," + std::to_string(cpu % 4 + 4);
        sys.write("cpu" + std::to_string(cpu) + "/topology/" + (cpu < 4 ? "core_cpus_list" : "thread_siblings_list"),
                  siblings);
    }
    CHECK(count_cores(cpus(8), sys.path()) == 4);
    CHECK(count_cores({0, 4}, sys.path()) == 1);  // affinity to one core
    CHECK(count_cores({1, 2, 6}, sys.path()) == 2);
    CHECK(count_cores({10, 11}, sys.path()) == 2);  // nothing known of them
    CHECK(count_cores(cpus(3), "/no/such/folder") == 3);
}

void test_quota_v2() {
    const Folder system;
    const auto limit = [&] { return quota_limit(system.path("cgroup"), system.path("mount")); };
    CHECK(limit() == 0);
    system.write("cgroup", "0::/");
    system.write("mount/cpu.max", "max 100000");
    CHECK(limit() == 0);
    system.write("mount/cpu.max", "250000 100000");
    CHECK(limit() == 2);
    system.write("mount/cpu.max", "50000 100000");
    CHECK(limit() == 1);  // less than one CPU
    system.write("mount/cpu.max", "nonsense");
    CHECK(limit() == 0);
    // The strictest of a group and its ancestors.
    system.write("cgroup", "0::/user/job");
    system.write("mount/cpu.max", "max 100000");
    system.write("mount/user/cpu.max", "300000 100000");
    system.write("mount/user/job/cpu.max", "800000 100000");
    CHECK(limit() == 3);
}

void test_quota_v1() {
    const Folder system;
    const auto limit = [&] { return quota_limit(system.path("cgroup"), system.path("mount")); };
    system.write("cgroup", "5:memory:/a\n4:cpu,cpuacct:/a\n1:name=systemd:/a");
    system.write("mount/cpu/a/cpu.cfs_quota_us", "-1");
    system.write("mount/cpu/a/cpu.cfs_period_us", "100000");
    CHECK(limit() == 0);
    system.write("mount/cpu/a/cpu.cfs_quota_us", "400000");
    CHECK(limit() == 4);
    system.write("mount/cpu/cpu.cfs_quota_us", "200000");
    system.write("mount/cpu/cpu.cfs_period_us", "100000");
    CHECK(limit() == 2);
    system.write("cgroup", "5:memory:/a\n4:cpuset:/a");
    CHECK(limit() == 0);
}

void test_counts() {
    const int count = default_thread_count();
    CHECK(count >= 1 && count <= 512);
    CHECK(count <= static_cast<int>(std::thread::hardware_concurrency()));
    CHECK(thread_count(0) == count);
    CHECK(thread_count(7) == 7);
    CHECK(thread_count(512) == 512);
    CHECK_ERROR("OPTION_INVALID", "513", thread_count(513));
    CHECK_ERROR("OPTION_INVALID", "-1", thread_count(-1));
}

void test_useful_threads() {
    CHECK(useful_threads(8, {}) == 1);
    CHECK(useful_threads(8, {50e6, 2e6}) == 1);   // the demo model's vision encoder
    CHECK(useful_threads(8, {2e6, 5e6}) == 1);    // a token of its language model
    CHECK(useful_threads(8, {6.6e9, 4e9}) == 8);  // a token of Vicuna-7B
    CHECK(useful_threads(1, {1e12, 1e12}) == 1);
    int last = 1;
    for (double size = 1e6; size < 1e9; size *= 1.5) {
        const int count = useful_threads(4, {size, 0});
        CHECK(count >= last && count <= 4);
        last = count;
    }
    CHECK(last == 4);
}

}  // namespace

int main() {
    test_cores();
    test_quota_v2();
    test_quota_v1();
    test_counts();
    test_useful_threads();
    return check::report();
}
