#include "gguf-file.h"

#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "error.h"
#include "gguf-parser.h"

namespace instructblip {
namespace {

const char* const split_count_key = "split.count";

template <class Value>
constexpr bool is_integer_v = std::is_integral_v<Value> && !std::is_same_v<Value, bool>;

// Whether an integer of any type lies in minimum..maximum; if so, `result` is it.
template <class Integer>
bool fits(Integer value, int64_t minimum, int64_t maximum, int64_t& result) {
    if constexpr (std::is_same_v<Integer, uint64_t>) {
        if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return false;
    }
    result = static_cast<int64_t>(+value);
    return result >= minimum && result <= maximum;
}

std::string range_text(int64_t minimum, int64_t maximum) {
    return std::to_string(minimum) + ".." + std::to_string(maximum);
}

}  // namespace

const char* gguf_type_name(GgufType type) {
    static const char* const names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                        "bool", "string", "array", "u64", "i64", "f64"};
    return names[static_cast<uint32_t>(type)];
}

std::string shape_text(const std::vector<int64_t>& shape) {
    std::string text;
    for (const int64_t length : shape) text += (text.empty() ? "" : ", ") + std::to_string(length);
    return "[" + text + "]";
}

std::shared_ptr<const GgufFile> GgufFile::open(const std::string& path) {
    return std::shared_ptr<const GgufFile>(new GgufFile(path));
}

GgufFile::GgufFile(const std::string& path) : mapping_(path) {
    GgufHeader header = parse_gguf(path, mapping_.data(), mapping_.size());
    version_ = header.version;
    alignment_ = header.alignment;
    data_offset_ = header.data_offset;
    metadata_ = std::move(header.metadata);
    tensors_ = std::move(header.tensors);
    for (size_t i = 0; i < metadata_.size(); ++i) entry_by_key_.emplace(metadata_[i].key, i);
    for (size_t i = 0; i < tensors_.size(); ++i) tensor_by_name_.emplace(tensors_[i].name, i);
    check_not_split();
}

void GgufFile::check_not_split() const {
    if (find(split_count_key) == nullptr) return;
    const int64_t parts = require_integer(split_count_key, 0, std::numeric_limits<int64_t>::max());
    if (parts <= 1) return;
    throw ModelError("MODEL_FILE_UNSUPPORTED", "model file " + path() + " is one of " + std::to_string(parts) +
                                                   " parts: join them with llama.cpp's `llama-gguf-split --merge`");
}

const GgufEntry* GgufFile::find(const std::string& key) const {
    const auto found = entry_by_key_.find(key);
    return found == entry_by_key_.end() ? nullptr : &metadata_[found->second];
}

const GgufTensor* GgufFile::find_tensor(const std::string& name) const {
    const auto found = tensor_by_name_.find(name);
    return found == tensor_by_name_.end() ? nullptr : &tensors_[found->second];
}

void GgufFile::throw_key_invalid(const std::string& key, const std::string& expectation) const {
    throw ModelError("MODEL_FILE_KEY_INVALID", "key '" + key + "' of " + path() + " must be " + expectation);
}

const GgufEntry& GgufFile::require(const std::string& key) const {
    const GgufEntry* const entry = find(key);
    if (entry != nullptr) return *entry;
    throw ModelError("MODEL_FILE_KEY_MISSING",
                     "model file " + path() + " has no key '" + key +
                         "'. Is it the right one of the two files? If so, convert the checkpoint again");
}

int64_t GgufFile::require_integer(const std::string& key, int64_t minimum, int64_t maximum) const {
    int64_t result = 0;
    const bool valid = std::visit(
        [&](const auto& value) {
            using Value = std::decay_t<decltype(value)>;
            if constexpr (is_integer_v<Value>) {
                return fits(value, minimum, maximum, result);
            } else {
                return false;
            }
        },
        require(key).value);
    if (!valid) throw_key_invalid(key, "an integer in " + range_text(minimum, maximum));
    return result;
}

double GgufFile::require_number(const std::string& key) const {
    const GgufValue& value = require(key).value;
    const auto* const single = std::get_if<float>(&value);
    const auto* const wide = std::get_if<double>(&value);
    const double number = single != nullptr ? *single : wide != nullptr ? *wide : std::nan("");
    if (!std::isfinite(number)) throw_key_invalid(key, "a finite number (f32 or f64)");
    return number;
}

bool GgufFile::require_bool(const std::string& key) const {
    const bool* const value = std::get_if<bool>(&require(key).value);
    if (value == nullptr) throw_key_invalid(key, "a bool");
    return *value;
}

const std::string& GgufFile::require_string(const std::string& key) const {
    const auto* const value = std::get_if<std::string>(&require(key).value);
    if (value == nullptr) throw_key_invalid(key, "a string");
    return *value;
}

std::vector<int64_t> GgufFile::require_integers(const std::string& key, int64_t minimum, int64_t maximum) const {
    std::vector<int64_t> result;
    const bool valid = std::visit(
        [&](const auto& value) {
            using Value = std::decay_t<decltype(value)>;
            if constexpr (!std::is_arithmetic_v<Value> && !std::is_same_v<Value, std::string>) {
                if constexpr (is_integer_v<typename Value::value_type>) {
                    for (const auto element : value) {
                        int64_t integer = 0;
                        if (!fits(element, minimum, maximum, integer)) return false;
                        result.push_back(integer);
                    }
                    return true;
                }
            }
            return false;
        },
        require(key).value);
    if (!valid) throw_key_invalid(key, "an array of integers in " + range_text(minimum, maximum));
    return result;
}

std::vector<double> GgufFile::require_numbers(const std::string& key) const {
    const GgufValue& value = require(key).value;
    std::vector<double> result;
    if (const auto* const singles = std::get_if<std::vector<float>>(&value)) {
        result.assign(singles->begin(), singles->end());
    } else if (const auto* const wides = std::get_if<std::vector<double>>(&value)) {
        result = *wides;
    } else {
        throw_key_invalid(key, "an array of numbers (f32 or f64)");
    }
    for (const double number : result) {
        if (!std::isfinite(number)) throw_key_invalid(key, "an array of finite numbers");
    }
    return result;
}

const std::vector<std::string>& GgufFile::require_strings(const std::string& key) const {
    const auto* const value = std::get_if<std::vector<std::string>>(&require(key).value);
    if (value == nullptr) throw_key_invalid(key, "an array of strings");
    return *value;
}

const GgufTensor& GgufFile::require_tensor(const std::string& name, const std::vector<int64_t>& shape) const {
    const GgufTensor* const tensor = find_tensor(name);
    if (tensor == nullptr) {
        throw ModelError("MODEL_FILE_TENSOR_MISSING",
                         "model file " + path() + " has no tensor '" + name + "'. Convert the checkpoint again");
    }
    if (tensor->shape != shape) {
        throw ModelError("MODEL_FILE_TENSOR_INVALID", "tensor '" + name + "' of " + path() + " has shape " +
                                                          shape_text(tensor->shape) + ", expected " +
                                                          shape_text(shape));
    }
    return *tensor;
}

}  // namespace instructblip
