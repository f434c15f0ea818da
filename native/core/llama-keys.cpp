#include "llama-keys.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <type_traits>
#include <variant>
#include <vector>

#include "error.h"

namespace instructblip {
namespace {

constexpr size_t longest_quote = 60;  // bytes of a string that a message repeats

std::string quote(const std::string& text) {
    return "'" + (text.size() <= longest_quote ? text : text.substr(0, longest_quote) + "…") + "'";
}

// `the u32 7`, `the string 'gpt2'`, `an array of 3 f32`
std::string describe(const GgufEntry& entry) {
    return std::visit(
        [&](const auto& value) {
            using Value = std::decay_t<decltype(value)>;
            std::ostringstream text;
            if constexpr (std::is_same_v<Value, std::string>) {
                text << "the string " << quote(value);
            } else if constexpr (std::is_same_v<Value, bool>) {
                text << "the bool " << (value ? "true" : "false");
            } else if constexpr (std::is_arithmetic_v<Value>) {
                text << "the " << gguf_type_name(entry.type) << " " << +value;
            } else {
                text << "an array of " << value.size() << " " << gguf_type_name(entry.element_type);
            }
            return text.str();
        },
        entry.value);
}

std::string range_text(int64_t minimum, int64_t maximum) {
    if (minimum == maximum) return "the u32 " + std::to_string(minimum);
    return "a u32 in " + std::to_string(minimum) + ".." + std::to_string(maximum);
}

std::string bounds_text(float above, float maximum) {
    std::ostringstream text;
    text << "a finite f32 above " << above;
    if (std::isfinite(maximum)) text << ", at most " << maximum;
    return text.str();
}

}  // namespace

void LlamaKeys::throw_invalid(const std::string& key, const std::string& expectation) const {
    const GgufEntry* const entry = file_.find(key);
    file_.throw_key_invalid(
        key, expectation + (entry == nullptr ? "" : ", not " + describe(*entry)) + ". Convert the checkpoint again");
}

void LlamaKeys::throw_unsupported(const std::string& problem) const {
    throw ModelError("MODEL_FILE_UNSUPPORTED", "language model file " + file_.path() + " is not supported: " + problem);
}

void LlamaKeys::check_type(const std::string& key, GgufType type) const {
    const GgufEntry* const entry = file_.find(key);
    if (entry != nullptr && entry->type != type) throw_invalid(key, std::string("of type ") + gguf_type_name(type));
}

int64_t LlamaKeys::require_u32(const std::string& key, int64_t minimum, int64_t maximum) const {
    const GgufEntry* const entry = file_.find(key);
    const uint32_t* const value = entry == nullptr ? nullptr : std::get_if<uint32_t>(&entry->value);
    if (entry != nullptr && (value == nullptr || *value < minimum || *value > maximum)) {
        throw_invalid(key, range_text(minimum, maximum));
    }
    return file_.require_integer(key, minimum, maximum);  // or missing
}

int64_t LlamaKeys::u32_or(const std::string& key, int64_t fallback, int64_t minimum, int64_t maximum) const {
    return has(key) ? require_u32(key, minimum, maximum) : fallback;
}

int64_t LlamaKeys::require_of_layers(const std::string& key, int64_t layers, int64_t minimum, int64_t maximum) const {
    const GgufEntry* const entry = file_.find(key);
    if (entry == nullptr || entry->type != GgufType::array) return require_u32(key, minimum, maximum);
    if (entry->element_type != GgufType::u32 && entry->element_type != GgufType::i32) {
        throw_invalid(key, "a u32 or an array of u32 or i32");
    }
    const std::vector<int64_t> values = file_.require_integers(key, minimum, maximum);
    if (static_cast<int64_t>(values.size()) != layers || layers == 0) {
        throw_invalid(key, "a u32 or an array of one integer for each of " + std::to_string(layers) + " layers");
    }
    if (!std::all_of(values.begin(), values.end(), [&](int64_t value) { return value == values.front(); })) {
        throw_unsupported("its layers differ in key '" + key + "'");
    }
    return values.front();
}

int64_t LlamaKeys::of_layers_or(const std::string& key, int64_t fallback, int64_t layers, int64_t minimum,
                                int64_t maximum) const {
    return has(key) ? require_of_layers(key, layers, minimum, maximum) : fallback;
}

float LlamaKeys::require_f32(const std::string& key, float above, float maximum) const {
    const GgufEntry* const entry = file_.find(key);
    const float* const value = entry == nullptr ? nullptr : std::get_if<float>(&entry->value);
    if (entry != nullptr && (value == nullptr || !std::isfinite(*value) || !(*value > above && *value <= maximum))) {
        throw_invalid(key, bounds_text(above, maximum));
    }
    return static_cast<float>(file_.require_number(key));  // or missing
}

float LlamaKeys::f32_or(const std::string& key, float fallback, float above, float maximum) const {
    return has(key) ? require_f32(key, above, maximum) : fallback;
}

std::string LlamaKeys::string_or(const std::string& key, const std::string& fallback) const {
    check_type(key, GgufType::string);
    return has(key) ? file_.require_string(key) : fallback;
}

}  // namespace instructblip
