#include "byte-reader.h"

namespace instructblip {
namespace {

// Length of the sequence that starts with `lead`, and the range of its second byte (which rules out overlong forms,
// surrogates and what is above U+10FFFF). 0 = no sequence starts so.
struct Utf8Sequence {
    size_t length;
    uint8_t second_from;
    uint8_t second_to;
};

Utf8Sequence sequence_of(uint8_t lead) {
    if (lead < 0x80) return {1, 0, 0};
    if (lead < 0xC2) return {0, 0, 0};
    if (lead < 0xE0) return {2, 0x80, 0xBF};
    if (lead == 0xE0) return {3, 0xA0, 0xBF};
    if (lead == 0xED) return {3, 0x80, 0x9F};
    if (lead < 0xF0) return {3, 0x80, 0xBF};
    if (lead == 0xF0) return {4, 0x90, 0xBF};
    if (lead < 0xF4) return {4, 0x80, 0xBF};
    if (lead == 0xF4) return {4, 0x80, 0x8F};
    return {0, 0, 0};
}

}  // namespace

bool is_utf8(std::string_view text) {
    for (size_t i = 0; i < text.size();) {
        const Utf8Sequence sequence = sequence_of(static_cast<uint8_t>(text[i]));
        if (sequence.length == 0 || text.size() - i < sequence.length) return false;
        for (size_t k = 1; k < sequence.length; ++k) {
            const auto byte = static_cast<uint8_t>(text[i + k]);
            const uint8_t from = k == 1 ? sequence.second_from : uint8_t{0x80};
            const uint8_t to = k == 1 ? sequence.second_to : uint8_t{0xBF};
            if (byte < from || byte > to) return false;
        }
        i += sequence.length;
    }
    return true;
}

const uint8_t* ByteReader::take(uint64_t length, const std::string& what) {
    if (length > remaining()) {
        throw_corrupt("it is truncated: " + what + " at byte " + std::to_string(position_) + " needs " +
                      std::to_string(length) + " bytes, " + std::to_string(length - remaining()) +
                      " of them are missing. Download or convert it again");
    }
    if (length > limit_ - position_) {
        throw_unsupported("its header is larger than " + std::to_string(limit_) + " bytes");
    }
    const uint8_t* const bytes = data_ + position_;
    position_ += static_cast<size_t>(length);
    return bytes;
}

uint64_t ByteReader::read_count(size_t smallest, uint64_t most, const std::string& what) {
    const auto count = read<uint64_t>();
    if (count > remaining() / smallest) {
        throw_corrupt("it claims " + std::to_string(count) + " " + what + ", more than its remaining " +
                      std::to_string(remaining()) + " bytes can hold. Download or convert it again");
    }
    if (count > most) {
        throw_unsupported("it has " + std::to_string(count) + " " + what + "; at most " + std::to_string(most) +
                          " are supported");
    }
    return count;
}

std::string ByteReader::read_string(const std::string& what) {
    const auto length = read<uint64_t>();
    const uint8_t* const bytes = take(length, what);
    std::string text(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
    if (!is_utf8(text)) throw_corrupt(what + " is not valid UTF-8");
    return text;
}

void ByteReader::throw_corrupt(const std::string& problem) const {
    throw ModelError("MODEL_FILE_CORRUPT", "model file " + name_ + " is damaged: " + problem);
}

void ByteReader::throw_unsupported(const std::string& problem) const {
    throw ModelError("MODEL_FILE_UNSUPPORTED", "model file " + name_ + " is not supported: " + problem);
}

}  // namespace instructblip
