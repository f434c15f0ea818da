// A file mapped read-only into memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace instructblip {

class MappedFile {
  public:
    // Throws MODEL_NOT_FOUND, MODEL_FILE_UNREADABLE. An empty file maps to no bytes.
    explicit MappedFile(const std::string& path);
    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    const std::string& path() const { return path_; }
    const uint8_t* data() const { return data_; }  // aligned to a page
    size_t size() const { return size_; }

    // Hints about [offset, offset + length): will be needed soon; is not needed any more (and leaves this process'
    // memory). No effect where the system has no such hint.
    void prefetch(size_t offset, size_t length) const;
    void release(size_t offset, size_t length) const;

  private:
    std::string path_;
    const uint8_t* data_ = nullptr;
    size_t size_ = 0;
};

}  // namespace instructblip
