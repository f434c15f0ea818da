// A cursor over untrusted little-endian bytes that never reads beyond their end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "error.h"

namespace instructblip {

// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

class ByteReader {
  public:
    // `name` is the file's, for messages; nothing beyond `limit` bytes is read (a header is never that large).
    ByteReader(std::string name, const uint8_t* data, size_t size, size_t limit)
        : name_(std::move(name)), data_(data), size_(size), limit_(limit) {}

    size_t position() const { return position_; }
    size_t remaining() const { return size_ - position_; }

    template <class Value>
    Value read() {
        Value value;
        std::memcpy(&value, take(sizeof(Value), "a value"), sizeof(Value));
        return value;
    }

    // A count of things that take at least `smallest` bytes each: what follows must be able to hold them, so that a
    // count never makes anybody allocate more than the file's size justifies.
    uint64_t read_count(size_t smallest, uint64_t most, const std::string& what);

    // A length and that many bytes of UTF-8.
    std::string read_string(const std::string& what);

    // The next `length` bytes.
    const uint8_t* take(uint64_t length, const std::string& what);

    [[noreturn]] void throw_corrupt(const std::string& problem) const;
    [[noreturn]] void throw_unsupported(const std::string& problem) const;

  private:
    std::string name_;
    const uint8_t* data_;
    size_t size_;
    size_t limit_;
    size_t position_ = 0;
};

}  // namespace instructblip
