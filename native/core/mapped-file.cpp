#include "mapped-file.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "error.h"

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#endif

namespace instructblip {
namespace {

[[noreturn]] void throw_unreadable(const std::string& path, const std::string& reason) {
    throw ModelError("MODEL_FILE_UNREADABLE", "model file " + path + " cannot be read: " + reason);
}

// Directories, pipes and devices are refused before they are opened: opening a pipe would wait for a writer.
void require_regular_file(const std::string& path) {
    std::error_code error;
    const auto status = std::filesystem::status(std::filesystem::u8path(path), error);
    if (status.type() == std::filesystem::file_type::not_found) {
        throw ModelError("MODEL_NOT_FOUND", "model file " + path + " does not exist");
    }
    if (error) throw_unreadable(path, error.message());
    if (!std::filesystem::is_regular_file(status)) throw_unreadable(path, "it is not a regular file");
}

#ifdef _WIN32

class Handle {
  public:
    explicit Handle(HANDLE handle) : handle_(handle) {}
    ~Handle() {
        if (valid()) CloseHandle(handle_);
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    bool valid() const { return handle_ != nullptr && handle_ != INVALID_HANDLE_VALUE; }
    HANDLE get() const { return handle_; }

  private:
    HANDLE handle_;
};

std::string last_error() {
    return std::system_category().message(static_cast<int>(GetLastError()));
}

#else

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

  private:
    int fd_;
};

std::string last_error() {
    return std::generic_category().message(errno);
}

#endif

}  // namespace

#ifdef _WIN32

MappedFile::MappedFile(const std::string& path) : path_(path) {
    require_regular_file(path);
    const std::wstring wide = std::filesystem::u8path(path).wstring();
    const Handle file(CreateFileW(wide.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING,
                                  FILE_ATTRIBUTE_NORMAL, nullptr));
    LARGE_INTEGER size;
    if (!file.valid() || !GetFileSizeEx(file.get(), &size)) throw_unreadable(path, last_error());
    if (size.QuadPart == 0) return;
    const Handle mapping(CreateFileMappingW(file.get(), nullptr, PAGE_READONLY, 0, 0, nullptr));
    void* data = mapping.valid() ? MapViewOfFile(mapping.get(), FILE_MAP_READ, 0, 0, 0) : nullptr;
    if (data == nullptr) throw_unreadable(path, last_error());
    data_ = static_cast<const uint8_t*>(data);
    size_ = static_cast<size_t>(size.QuadPart);
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) UnmapViewOfFile(data_);
}

void MappedFile::prefetch(size_t, size_t) const {}
void MappedFile::release(size_t, size_t) const {}

#else

MappedFile::MappedFile(const std::string& path) : path_(path) {
    require_regular_file(path);
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status{};
    if (file.get() < 0 || fstat(file.get(), &status) != 0) throw_unreadable(path, last_error());
    if (status.st_size == 0) return;
    const auto size = static_cast<size_t>(status.st_size);
    void* data = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
    if (data == MAP_FAILED) throw_unreadable(path, last_error());
    data_ = static_cast<const uint8_t*>(data);
    size_ = size;
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

void MappedFile::prefetch(size_t offset, size_t length) const {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t begin = offset / page * page;
    const size_t end = std::min(size_, offset + length);
    if (begin < end) posix_madvise(const_cast<uint8_t*>(data_) + begin, end - begin, POSIX_MADV_WILLNEED);
}

void MappedFile::release(size_t offset, size_t length) const {
    // Whole pages only: the neighbours may still be in use. glibc's posix_madvise ignores DONTNEED.
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t begin = (offset + page - 1) / page * page;
    const size_t end = std::min(size_, offset + length) / page * page;
    if (begin < end) madvise(const_cast<uint8_t*>(data_) + begin, end - begin, MADV_DONTNEED);
}

#endif

}  // namespace instructblip
