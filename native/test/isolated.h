// Cases that may end the process: they run in child processes, and a crash costs one case, not the test.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#endif

namespace isolated {

using Work = std::function<std::string(size_t index)>;

#if defined(__unix__) || defined(__APPLE__)

constexpr unsigned longest_case = 60;  // seconds; then it counts as a crash

inline bool read_all(int descriptor, void* data, size_t size) {
    auto* bytes = static_cast<char*>(data);
    while (size > 0) {
        const ssize_t count = read(descriptor, bytes, size);
        if (count <= 0) return false;
        bytes += count;
        size -= static_cast<size_t>(count);
    }
    return true;
}

inline void write_result(int descriptor, const std::string& result) {
    const auto size = static_cast<uint32_t>(result.size());
    std::string message(reinterpret_cast<const char*>(&size), sizeof(size));
    message += result;
    const char* bytes = message.data();
    for (size_t left = message.size(); left > 0;) {
        const ssize_t count = write(descriptor, bytes, left);
        if (count <= 0) _exit(3);
        bytes += count;
        left -= static_cast<size_t>(count);
    }
}

[[noreturn]] inline void run_child(int descriptor, size_t first, size_t count, const Work& work) {
    for (size_t i = first; i < count; ++i) {
        alarm(longest_case);
        write_result(descriptor, work(i));
    }
    _exit(0);
}

// work(0), …, work(count - 1). A case that ends its process has the result `crashed with signal 6`.
inline std::vector<std::string> run(size_t count, const Work& work) {
    std::vector<std::string> results;
    while (results.size() < count) {
        int ends[2];
        if (pipe(ends) != 0) return results;
        std::fflush(nullptr);
        const pid_t child = fork();
        if (child == 0) run_child(ends[1], results.size(), count, work);
        close(ends[1]);
        uint32_t size = 0;
        while (child > 0 && read_all(ends[0], &size, sizeof(size))) {
            std::string result(size, '\0');
            if (!read_all(ends[0], result.data(), size)) break;
            results.push_back(std::move(result));
        }
        close(ends[0]);
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child) return results;
        if (results.size() == count) break;
        results.push_back(WIFSIGNALED(status) ? "crashed with signal " + std::to_string(WTERMSIG(status))
                                              : "ended the process with " + std::to_string(WEXITSTATUS(status)));
    }
    return results;
}

#else

inline std::vector<std::string> run(size_t count, const Work& work) {
    std::vector<std::string> results;
    for (size_t i = 0; i < count; ++i) results.push_back(work(i));
    return results;
}

#endif

}  // namespace isolated
