// Writes GGUF files for tests, right ones and wrong ones: every part can be altered before it is written.
#pragma once

#include <ggml.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "gguf-value.h"

namespace gguf_writer {

using instructblip::GgufType;

class Bytes {
  public:
    template <class Value>
    Bytes& put(Value value) {
        const auto* const data = reinterpret_cast<const char*>(&value);
        text_.append(data, sizeof(value));
        return *this;
    }
    Bytes& string(const std::string& value) {
        put<uint64_t>(value.size());
        text_ += value;
        return *this;
    }
    Bytes& raw(const std::string& value) {
        text_ += value;
        return *this;
    }
    void align(size_t alignment) { text_.resize((text_.size() + alignment - 1) / alignment * alignment, '\0'); }
    const std::string& text() const { return text_; }

  private:
    std::string text_;
};

struct Entry {
    std::string key;
    GgufType type;
    std::string value;  // encoded, after the type
};

template <class Value>
Entry scalar(const std::string& key, GgufType type, Value value) {
    return {key, type, Bytes().put(value).text()};
}
inline Entry u32(const std::string& key, uint32_t value) {
    return scalar(key, GgufType::u32, value);
}
inline Entry i32(const std::string& key, int32_t value) {
    return scalar(key, GgufType::i32, value);
}
inline Entry f32(const std::string& key, float value) {
    return scalar(key, GgufType::f32, value);
}
inline Entry f64(const std::string& key, double value) {
    return scalar(key, GgufType::f64, value);
}
inline Entry boolean(const std::string& key, bool value) {
    return scalar(key, GgufType::boolean, static_cast<uint8_t>(value ? 1 : 0));
}
inline Entry string(const std::string& key, const std::string& value) {
    return {key, GgufType::string, Bytes().string(value).text()};
}
template <class Value>
Entry array(const std::string& key, GgufType element, const std::vector<Value>& values) {
    Bytes bytes;
    bytes.put(static_cast<uint32_t>(element)).put<uint64_t>(values.size());
    for (const Value& value : values) {
        if constexpr (std::is_same_v<Value, std::string>) {
            bytes.string(value);
        } else {
            bytes.put(value);
        }
    }
    return {key, GgufType::array, bytes.text()};
}

struct Tensor {
    std::string name;
    uint32_t type;               // a ggml_type, or a number that is none
    std::vector<int64_t> shape;  // PyTorch order
    std::string data;
};

// Rows of floats as `type` keeps them.
inline std::string encode(ggml_type type, const std::vector<float>& values, int64_t row_length) {
    const int64_t rows = static_cast<int64_t>(values.size()) / row_length;
    std::string data(static_cast<size_t>(rows) * ggml_row_size(type, row_length), '\0');
    if (values.empty()) return data;
    if (type == GGML_TYPE_F32) {
        std::memcpy(data.data(), values.data(), data.size());
    } else {
        ggml_quantize_chunk(type, values.data(), data.data(), 0, rows, row_length, nullptr);
    }
    return data;
}

// What a reader of those bytes computes with.
inline std::vector<float> decode(ggml_type type, const std::string& data, size_t count) {
    std::vector<float> values(count);
    if (type == GGML_TYPE_F32) {
        std::memcpy(values.data(), data.data(), data.size());
    } else {
        ggml_get_type_traits(type)->to_float(data.data(), values.data(), static_cast<int64_t>(count));
    }
    return values;
}

struct File {
    uint32_t version = 3;
    uint32_t alignment = 32;
    std::vector<Entry> entries;
    std::vector<Tensor> tensors;

    Entry& entry(const std::string& key) {
        return *std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
    }
    Tensor& tensor(const std::string& name) {
        return *std::find_if(tensors.begin(), tensors.end(), [&](const Tensor& tensor) { return tensor.name == name; });
    }

    // Everything before the tensors' data.
    std::string header() const {
        Bytes bytes;
        bytes.raw("GGUF").put(version).put<uint64_t>(tensors.size()).put<uint64_t>(entries.size());
        for (const Entry& entry : entries) {
            bytes.string(entry.key).put(static_cast<uint32_t>(entry.type)).raw(entry.value);
        }
        uint64_t offset = 0;
        for (const Tensor& tensor : tensors) {
            bytes.string(tensor.name).put(static_cast<uint32_t>(tensor.shape.size()));
            for (auto length = tensor.shape.rbegin(); length != tensor.shape.rend(); ++length) bytes.put(*length);
            bytes.put(tensor.type).put(offset);
            offset += (tensor.data.size() + alignment - 1) / alignment * alignment;
        }
        return bytes.text();
    }

    std::string bytes() const {
        Bytes bytes;
        bytes.raw(header());
        for (const Tensor& tensor : tensors) {
            bytes.align(alignment);
            bytes.raw(tensor.data);
        }
        bytes.align(alignment);
        return bytes.text();
    }
};

// A file in a folder of its own that goes with the object.
class TemporaryFile {
  public:
    explicit TemporaryFile(const std::string& bytes) {
        static const std::string process = std::to_string(std::random_device{}());
        static int count = 0;
        const std::string name = "instructblip-test-" + process + "-" + std::to_string(++count) + ".gguf";
        path_ = (std::filesystem::temp_directory_path() / name).string();
        write(bytes);
    }
    ~TemporaryFile() {
        std::error_code error;
        std::filesystem::remove(path_, error);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    const std::string& path() const { return path_; }
    // A new file each time: ext4 writes a file to disk at once when its old content was cut off, thousands of times.
    void write(const std::string& bytes) const {
        std::error_code error;
        std::filesystem::remove(path_, error);
        std::ofstream file(path_, std::ios::binary | std::ios::trunc);
        file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }

  private:
    std::string path_;
};

}  // namespace gguf_writer
