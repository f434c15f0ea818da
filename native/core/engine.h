// The engine (llama.cpp's shared libraries) as one process-wide thing: verified, its backends loaded once, its log
// lines routed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace instructblip {

struct DeviceInfo {
    std::string name;  // `CPU`, `CUDA0`, `Vulkan0`, `Metal`
    std::string description;
    std::string type;       // `cpu`, `gpu`, `igpu`, `accel`
    uint64_t memory_free;   // bytes
    uint64_t memory_total;  // bytes
};

struct EngineInfo {
    std::string version;
    std::string directory;  // where the libraries were really loaded from
    std::string cpu_features;
    std::vector<DeviceInfo> devices;
};

// Verifies that the engine's symbols come from `directory`, then loads its backends and the GPU modules found in
// `module_directories`. The first call does the work, later ones from any thread check and return the same. Throws
// ENGINE_CLASH when another package brought its own copy, ENGINE_LOAD_FAILED when no CPU backend can be had.
EngineInfo initialize_engine(const std::string& directory, const std::vector<std::string>& module_directories);

// Throws ENGINE_LOAD_FAILED before initialize_engine() succeeded: without backends the engine would abort.
void require_engine();

// Every engine log line goes to the listeners; `INSTRUCTBLIP_LOG=debug|info|warn|error` prints to stderr as well.
// Levels: 1 debug, 2 info, 3 warn, 4 error. A listener is called from any thread and must not add or remove listeners.
// After remove_log_listener() it is not called any more.
using LogListener = std::function<void(int level, const std::string& line)>;
int add_log_listener(LogListener listener);
void remove_log_listener(int id);  // 0 = none

// Collects the error lines that the engine logs on this thread, for the message of an exception.
class LogCapture {
  public:
    LogCapture();
    ~LogCapture();
    LogCapture(const LogCapture&) = delete;
    LogCapture& operator=(const LogCapture&) = delete;

    // `: line; line`, or empty.
    std::string as_reason() const;

    void add(const std::string& line);

  private:
    LogCapture* previous_;
    std::vector<std::string> lines_;
};

}  // namespace instructblip
