#include "gguf-parser.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <unordered_set>
#include <utility>

#include "byte-reader.h"

namespace instructblip {
namespace {

// Far above any real file (the largest vocabularies make headers of about 20 MB), and small enough that a hostile one
// cannot exhaust memory.
constexpr size_t largest_header = size_t{256} << 20;
constexpr uint64_t most_entries = 1 << 16;
constexpr uint64_t most_tensors = 1 << 17;
constexpr uint64_t most_elements = 1 << 24;
constexpr uint32_t default_alignment = 32;
constexpr uint32_t largest_alignment = 1 << 16;

// Smallest encodings, for plausible counts.
constexpr size_t smallest_entry = 8 + 1 + 4 + 1;           // length and one byte of key, type, a bool
constexpr size_t smallest_tensor = 8 + 1 + 4 + 8 + 4 + 8;  // name, dimension count, one dimension, type, offset

const char* const alignment_key = "general.alignment";

class Parser {
  public:
    Parser(const std::string& path, const uint8_t* data, size_t size)
        : reader_(path, data, size, largest_header), path_(path), data_(data), size_(size) {}

    GgufHeader parse() {
        read_magic();
        header_.version = read_version();
        const uint64_t tensors = reader_.read_count(smallest_tensor, most_tensors, "tensors");
        const uint64_t entries = reader_.read_count(smallest_entry, most_entries, "metadata entries");
        for (uint64_t i = 0; i < entries; ++i) read_entry();
        header_.alignment = find_alignment();
        for (uint64_t i = 0; i < tensors; ++i) read_tensor();
        place_tensors();
        return std::move(header_);
    }

  private:
    void read_magic() {
        if (size_ >= 4 && std::memcmp(data_, "GGUF", 4) == 0) {
            reader_.take(4, "the magic number");
            return;
        }
        std::string found = "it is empty";
        if (size_ > 0) {
            found = "it starts with bytes";
            const char* const digits = "0123456789abcdef";
            for (size_t i = 0; i < std::min<size_t>(size_, 4); ++i) {
                found += std::string(" ") + digits[data_[i] >> 4] + digits[data_[i] & 15];
            }
            found += ", not with 'GGUF'";
        }
        throw ModelError("MODEL_FILE_NOT_GGUF", path_ + " is not a GGUF file: " + found +
                                                    ". Convert a Hugging Face checkpoint with `instructblip convert`");
    }

    uint32_t read_version() {
        const auto version = reader_.read<uint32_t>();
        if (version == 2 || version == 3) return version;
        if (version != 0 && (version & 0xFFFF) == 0) {
            reader_.throw_unsupported("it is big-endian; convert it on, or for, a little-endian machine");
        }
        reader_.throw_unsupported("it has GGUF version " + std::to_string(version) +
                                  "; versions 2 and 3 are supported. Convert the checkpoint again");
    }

    std::string read_name(const std::string& what) {
        std::string name = reader_.read_string(what);
        if (name.empty() || name.find('\0') != std::string::npos) {
            reader_.throw_corrupt(what + " is empty or has a NUL character in it");
        }
        return name;
    }

    GgufType read_type(const std::string& key) {
        const auto number = reader_.read<uint32_t>();
        if (number > static_cast<uint32_t>(GgufType::f64)) {
            reader_.throw_corrupt("key '" + key + "' has unknown value type " + std::to_string(number));
        }
        return static_cast<GgufType>(number);
    }

    void read_entry() {
        std::string key = read_name("metadata key " + std::to_string(header_.metadata.size() + 1));
        if (!keys_.insert(key).second) reader_.throw_corrupt("key '" + key + "' appears twice");
        const GgufType type = read_type(key);
        if (type != GgufType::array) {
            GgufValue value = read_scalar(key, type);
            header_.metadata.push_back({std::move(key), type, type, std::move(value)});
            return;
        }
        const GgufType element_type = read_type(key);
        if (element_type == GgufType::array) {
            reader_.throw_unsupported("key '" + key + "' is an array of arrays");
        }
        GgufValue value = read_array(key, element_type);
        header_.metadata.push_back({std::move(key), type, element_type, std::move(value)});
    }

    // Calls `visit` with a default value of the C++ type that stands for `type`.
    template <class Visit>
    static GgufValue with_element(GgufType type, const Visit& visit) {
        switch (type) {
            case GgufType::u8:
                return visit(uint8_t{});
            case GgufType::i8:
                return visit(int8_t{});
            case GgufType::u16:
                return visit(uint16_t{});
            case GgufType::i16:
                return visit(int16_t{});
            case GgufType::u32:
                return visit(uint32_t{});
            case GgufType::i32:
                return visit(int32_t{});
            case GgufType::u64:
                return visit(uint64_t{});
            case GgufType::i64:
                return visit(int64_t{});
            case GgufType::f32:
                return visit(float{});
            case GgufType::f64:
                return visit(double{});
            case GgufType::boolean:
                return visit(bool{});
            default:
                return visit(std::string{});
        }
    }

    void read_element(const std::string&, const std::string& what, std::string& value) {
        value = reader_.read_string(what);
    }
    void read_element(const std::string& key, const std::string&, bool& value) {
        const auto byte = reader_.read<uint8_t>();
        if (byte > 1) reader_.throw_corrupt("key '" + key + "' has a boolean that is neither 0 nor 1");
        value = byte == 1;
    }
    template <class Number>
    void read_element(const std::string&, const std::string&, Number& value) {
        value = reader_.read<Number>();
    }

    GgufValue read_scalar(const std::string& key, GgufType type) {
        return with_element(type, [&](auto value) -> GgufValue {
            read_element(key, "the value of key '" + key + "'", value);
            return value;
        });
    }

    GgufValue read_array(const std::string& key, GgufType type) {
        return with_element(type, [&](auto example) -> GgufValue {
            using Element = decltype(example);
            constexpr bool is_string = std::is_same_v<Element, std::string>;
            const std::string what = "a value of key '" + key + "'";
            const size_t smallest = is_string ? sizeof(uint64_t) : std::is_same_v<Element, bool> ? 1 : sizeof(Element);
            const uint64_t count = reader_.read_count(smallest, most_elements, "values of key '" + key + "'");
            std::vector<Element> values;
            values.reserve(static_cast<size_t>(count));
            for (uint64_t i = 0; i < count; ++i) {
                read_element(key, what, example);
                values.push_back(std::move(example));
            }
            return values;
        });
    }

    uint32_t find_alignment() const {
        for (const GgufEntry& entry : header_.metadata) {
            if (entry.key != alignment_key) continue;
            const uint32_t* const value = std::get_if<uint32_t>(&entry.value);
            if (value == nullptr || *value < 8 || *value > largest_alignment || (*value & (*value - 1)) != 0) {
                reader_.throw_corrupt("general.alignment must be a u32 power of two in 8.." +
                                      std::to_string(largest_alignment));
            }
            return *value;
        }
        return default_alignment;
    }

    void read_tensor() {
        GgufTensor tensor{};
        tensor.name = read_name("name of tensor " + std::to_string(header_.tensors.size() + 1));
        if (tensor.name.size() >= GGML_MAX_NAME) {
            reader_.throw_corrupt("tensor name '" + tensor.name + "' is longer than " +
                                  std::to_string(GGML_MAX_NAME - 1) + " bytes");
        }
        if (!tensor_names_.insert(tensor.name).second) {
            reader_.throw_corrupt("tensor '" + tensor.name + "' appears twice");
        }
        const std::vector<int64_t> ne = read_dimensions(tensor.name);
        tensor.type = read_tensor_type(tensor.name);
        tensor.byte_length = tensor_bytes(tensor.name, tensor.type, ne);
        tensor.shape.assign(ne.rbegin(), ne.rend());
        tensor.offset = reader_.read<uint64_t>();  // from the start of the data until place_tensors()
        header_.tensors.push_back(std::move(tensor));
    }

    std::vector<int64_t> read_dimensions(const std::string& name) {
        const auto count = reader_.read<uint32_t>();
        if (count < 1 || count > GGML_MAX_DIMS) {
            reader_.throw_corrupt("tensor '" + name + "' has " + std::to_string(count) + " dimensions; 1.." +
                                  std::to_string(GGML_MAX_DIMS) + " are possible");
        }
        std::vector<int64_t> ne;
        for (uint32_t i = 0; i < count; ++i) {
            const auto length = reader_.read<uint64_t>();
            if (length == 0 || length > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
                reader_.throw_corrupt("tensor '" + name + "' has a dimension of " + std::to_string(length));
            }
            ne.push_back(static_cast<int64_t>(length));
        }
        return ne;
    }

    ggml_type read_tensor_type(const std::string& name) {
        const auto number = reader_.read<uint32_t>();
        const bool known = number < GGML_TYPE_COUNT && ggml_blck_size(static_cast<ggml_type>(number)) > 0 &&
                           ggml_type_size(static_cast<ggml_type>(number)) > 0;  // ggml removed some types
        if (!known) {
            reader_.throw_unsupported("tensor '" + name + "' has type " + std::to_string(number) +
                                      ", which this engine does not know");
        }
        return static_cast<ggml_type>(number);
    }

    // Sizes near 2^63 do not wrap: each factor is checked against what is left to the largest offset.
    uint64_t tensor_bytes(const std::string& name, ggml_type type, const std::vector<int64_t>& ne) const {
        const int64_t block = ggml_blck_size(type);
        if (ne[0] % block != 0) {
            reader_.throw_corrupt("tensor '" + name + "' has rows of " + std::to_string(ne[0]) +
                                  " values, no multiple of the " + std::to_string(block) + " in a block of type " +
                                  ggml_type_name(type));
        }
        constexpr uint64_t largest = uint64_t{1} << 60;  // values, and bytes
        uint64_t values = 1;
        for (const int64_t length : ne) {
            if (static_cast<uint64_t>(length) > largest / values) {
                reader_.throw_corrupt("tensor '" + name + "' has an impossible size");
            }
            values *= static_cast<uint64_t>(length);
        }
        const uint64_t blocks = values / static_cast<uint64_t>(block);
        if (blocks > largest / ggml_type_size(type)) {
            reader_.throw_corrupt("tensor '" + name + "' has an impossible size");
        }
        return blocks * ggml_type_size(type);
    }

    // Offsets from the start of the file, all inside it, aligned and disjoint.
    void place_tensors() {
        const uint64_t mask = header_.alignment - 1;
        const uint64_t data_start = (reader_.position() + mask) & ~mask;
        header_.data_offset = data_start;
        uint64_t data_end = data_start;
        for (GgufTensor& tensor : header_.tensors) {
            if ((tensor.offset & mask) != 0) {
                reader_.throw_corrupt("tensor '" + tensor.name + "' is not aligned to " +
                                      std::to_string(header_.alignment) + " bytes");
            }
            if (tensor.offset > (uint64_t{1} << 61)) {
                reader_.throw_corrupt("tensor '" + tensor.name + "' has an impossible offset");
            }
            tensor.offset += data_start;
            data_end = std::max(data_end, tensor.offset + tensor.byte_length);
        }
        if (!header_.tensors.empty() && data_end > size_) {
            reader_.throw_corrupt("it is truncated: its tensors end at byte " + std::to_string(data_end) + ", " +
                                  std::to_string(data_end - size_) +
                                  " bytes are missing. Download or convert it again");
        }
        for (GgufTensor& tensor : header_.tensors) tensor.data = data_ + tensor.offset;
        check_overlap();
    }

    void check_overlap() const {
        std::vector<const GgufTensor*> order;
        order.reserve(header_.tensors.size());
        for (const GgufTensor& tensor : header_.tensors) order.push_back(&tensor);
        std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
        for (size_t i = 1; i < order.size(); ++i) {
            if (order[i - 1]->offset + order[i - 1]->byte_length > order[i]->offset) {
                reader_.throw_corrupt("tensors '" + order[i - 1]->name + "' and '" + order[i]->name + "' overlap");
            }
        }
    }

    ByteReader reader_;
    std::string path_;
    const uint8_t* data_;
    size_t size_;
    GgufHeader header_{};
    std::unordered_set<std::string> keys_;
    std::unordered_set<std::string> tensor_names_;
};

}  // namespace

GgufHeader parse_gguf(const std::string& path, const uint8_t* data, size_t size) {
    return Parser(path, data, size).parse();
}

}  // namespace instructblip
