#include "engine-log.h"

#include <llama.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "engine.h"

namespace instructblip {
namespace {

thread_local LogCapture* current_capture = nullptr;

struct LogHub {
    std::mutex mutex;
    std::map<int, LogListener> listeners;
    int next_id = 1;
    int stderr_level = GGML_LOG_LEVEL_CONT;  // above all: nothing
};

// Never destroyed: engine threads may log while the process ends.
LogHub& hub() {
    static auto* const instance = new LogHub;
    return *instance;
}

int level_by_name(const char* name) {
    const char* const names[] = {"", "debug", "info", "warn", "error"};
    for (int level = GGML_LOG_LEVEL_DEBUG; level <= GGML_LOG_LEVEL_ERROR; ++level) {
        if (name != nullptr && std::strcmp(name, names[level]) == 0) return level;
    }
    return GGML_LOG_LEVEL_CONT;
}

void emit(int level, const std::string& line) {
    if (current_capture != nullptr && level >= GGML_LOG_LEVEL_ERROR) current_capture->add(line);
    LogHub& target = hub();
    const std::lock_guard<std::mutex> lock(target.mutex);
    if (level >= target.stderr_level) std::fprintf(stderr, "%s\n", line.c_str());
    for (const auto& [id, listener] : target.listeners) listener(level, line);
}

// The engine logs pieces: a line ends with its newline, a piece of level CONT belongs to the one before.
void on_engine_log(ggml_log_level level, const char* text, void*) {
    thread_local std::string pending;
    thread_local int pending_level = GGML_LOG_LEVEL_INFO;
    try {
        if (level != GGML_LOG_LEVEL_CONT) pending_level = level == GGML_LOG_LEVEL_NONE ? GGML_LOG_LEVEL_INFO : level;
        pending += text;
        for (size_t end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
            const std::string line = pending.substr(0, end);
            pending.erase(0, end + 1);
            if (!line.empty() && line.find_first_not_of('.') != std::string::npos) emit(pending_level, line);
        }
    } catch (...) {
        pending.clear();  // no memory for a log line is no reason to fail
    }
}

}  // namespace

void route_engine_log() {
    hub().stderr_level = level_by_name(std::getenv("INSTRUCTBLIP_LOG"));
    llama_log_set(on_engine_log, nullptr);  // reaches ggml as well
}

void log_debug(const std::string& line) {
    emit(GGML_LOG_LEVEL_DEBUG, line);
}

int add_log_listener(LogListener listener) {
    LogHub& target = hub();
    const std::lock_guard<std::mutex> lock(target.mutex);
    const int id = target.next_id++;
    target.listeners.emplace(id, std::move(listener));
    return id;
}

void remove_log_listener(int id) {
    LogHub& target = hub();
    const std::lock_guard<std::mutex> lock(target.mutex);
    target.listeners.erase(id);
}

LogCapture::LogCapture() : previous_(current_capture) {
    current_capture = this;
}
LogCapture::~LogCapture() {
    current_capture = previous_;
}

void LogCapture::add(const std::string& line) {
    constexpr size_t most_lines = 8;
    if (lines_.size() < most_lines) lines_.push_back(line);
}

std::string LogCapture::as_reason() const {
    std::string text;
    for (const std::string& line : lines_) text += (text.empty() ? ": " : "; ") + line;
    return text;
}

}  // namespace instructblip
