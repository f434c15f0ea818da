#include "engine.h"

#include <ggml-backend.h>
#include <ggml.h>
#include <llama.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include <filesystem>
#include <mutex>
#include <optional>

#include "engine-log.h"
#include "error.h"
#include "gemm/engine-hook.h"

namespace fs = std::filesystem;

namespace instructblip {
namespace {

// File of the shared library that `symbol` was taken from.
std::string library_of(const void* symbol) {
#ifdef _WIN32
    HMODULE module = nullptr;
    char path[MAX_PATH] = "";
    const DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    if (!GetModuleHandleExA(flags, static_cast<LPCSTR>(symbol), &module)) return "";
    GetModuleFileNameA(module, path, MAX_PATH);
    return path;
#else
    Dl_info info{};
    return dladdr(symbol, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
#endif
}

fs::path real_directory(const fs::path& directory) {
    std::error_code error;
    const fs::path real = fs::canonical(directory, error);
    return error ? directory : real;
}

void verify_library(const char* name, const void* symbol, const fs::path& expected) {
    const fs::path file = library_of(symbol);
    if (real_directory(file.parent_path()) == expected) return;
    throw ModelError(
        "ENGINE_CLASH",
        std::string("another package loaded a different copy of llama.cpp's libraries: ") + name + " came from " +
            file.string() + ", expected it in " + expected.string() +
            ". Load instructblip before that package, use node-llama-cpp 3.22.1 (the same libraries), or run one of "
            "them in a process of its own");
}

void verify_libraries(const fs::path& directory) {
    verify_library("libllama", reinterpret_cast<const void*>(&llama_backend_init), directory);
    verify_library("libggml", reinterpret_cast<const void*>(&ggml_backend_load_all_from_path), directory);
    verify_library("libggml-base", reinterpret_cast<const void*>(&ggml_init), directory);
}

bool has_cpu() {
    return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) != nullptr;
}

// GPU packages bring copies of the base libraries that we do not want, and one module that we do.
void load_gpu_modules(const std::vector<std::string>& directories) {
    struct Module {
        const char* backend;
        const char* stem;
    };
    for (const Module& module : {Module{"CUDA", "ggml-cuda"}, Module{"Vulkan", "ggml-vulkan"}}) {
        for (const fs::path directory : directories) {
            if (ggml_backend_reg_by_name(module.backend) != nullptr) break;
#ifdef _WIN32
            const fs::path file = directory / (std::string(module.stem) + ".dll");
#else
            const fs::path file = directory / ("lib" + std::string(module.stem) + ".so");
#endif
            std::error_code error;
            if (fs::is_regular_file(file, error)) ggml_backend_load(file.string().c_str());
        }
    }
}

const char* type_name(enum ggml_backend_dev_type type) {
    switch (type) {
        case GGML_BACKEND_DEVICE_TYPE_GPU:
            return "gpu";
        case GGML_BACKEND_DEVICE_TYPE_IGPU:
            return "igpu";
        case GGML_BACKEND_DEVICE_TYPE_CPU:
            return "cpu";
        default:
            return "accel";
    }
}

std::vector<DeviceInfo> list_devices() {
    std::vector<DeviceInfo> devices;
    for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
        ggml_backend_dev_t device = ggml_backend_dev_get(i);
        size_t free = 0;
        size_t total = 0;
        ggml_backend_dev_memory(device, &free, &total);
        devices.push_back({ggml_backend_dev_name(device), ggml_backend_dev_description(device),
                           type_name(ggml_backend_dev_type(device)), free, total});
    }
    return devices;
}

// `AVX2 = 1, FMA = 1, …`: tells which of the CPU variants was picked.
std::string cpu_features() {
    ggml_backend_reg_t registry = ggml_backend_dev_backend_reg(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU));
    const auto get_features = reinterpret_cast<ggml_backend_get_features_t>(
        ggml_backend_reg_get_proc_address(registry, "ggml_backend_get_features"));
    std::string text;
    if (get_features == nullptr) return text;
    for (const ggml_backend_feature* feature = get_features(registry); feature->name != nullptr; ++feature) {
        text += (text.empty() ? "" : ", ") + std::string(feature->name) + " = " + feature->value;
    }
    return text;
}

std::mutex engine_mutex;
std::optional<EngineInfo> engine_info;

}  // namespace

EngineInfo initialize_engine(const std::string& directory, const std::vector<std::string>& module_directories) {
    const fs::path expected = real_directory(directory);
    verify_libraries(expected);
    const std::lock_guard<std::mutex> lock(engine_mutex);
    if (engine_info) {
        engine_info->devices = list_devices();  // free memory changes
        return *engine_info;
    }
    route_engine_log();
    const LogCapture log;
    // A build from source, or another user of the same libraries in this process, has registered its backends already.
    if (!has_cpu()) ggml_backend_load_all_from_path(expected.string().c_str());
    if (!has_cpu()) {
        throw ModelError("ENGINE_LOAD_FAILED",
                         "no CPU backend of the engine could be loaded from " + expected.string() + log.as_reason());
    }
    load_gpu_modules(module_directories);
    install_kernels();
    llama_backend_init();
    engine_info = EngineInfo{llama_version(), expected.string(), cpu_features(), list_devices()};
    return *engine_info;
}

void require_engine() {
    const std::lock_guard<std::mutex> lock(engine_mutex);
    if (!engine_info) throw ModelError("ENGINE_LOAD_FAILED", "the engine is not initialized: call initialize() first");
}

}  // namespace instructblip
