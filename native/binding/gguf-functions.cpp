#include "gguf-functions.h"

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "convert.h"
#include "gguf-file.h"

namespace instructblip {
namespace {

template <class Integer>
Napi::Value from_wide_integer(Napi::Env env, Integer value, const std::string& key) {
    constexpr auto largest = static_cast<Integer>(int64_t{1} << 53);
    bool exact = value <= largest;
    if constexpr (std::is_signed_v<Integer>) exact = exact && value >= -largest;
    if (!exact) {
        throw ModelError("MODEL_FILE_UNSUPPORTED", "the value of key '" + key + "' is too large for JavaScript");
    }
    return Napi::Number::New(env, static_cast<double>(value));
}

// Wide integers come as doubles, which JavaScript's numbers are.
template <class Integer>
Napi::Value from_wide_integers(Napi::Env env, const std::vector<Integer>& values, const std::string& key) {
    Napi::Float64Array array = Napi::Float64Array::New(env, values.size());
    for (size_t i = 0; i < values.size(); ++i) {
        array[i] = from_wide_integer(env, values[i], key).template As<Napi::Number>();
    }
    return array;
}

Napi::Value from_booleans(Napi::Env env, const std::vector<bool>& values) {
    Napi::Array array = Napi::Array::New(env, values.size());
    for (size_t i = 0; i < values.size(); ++i) array.Set(static_cast<uint32_t>(i), Napi::Boolean::New(env, values[i]));
    return array;
}

template <class Element>
Napi::Value from_numbers(Napi::Env env, const std::vector<Element>& values) {
    auto array = Napi::TypedArrayOf<Element>::New(env, values.size());
    std::copy(values.begin(), values.end(), array.Data());
    return {env, array};
}

template <class T>
struct is_wide : std::disjunction<std::is_same<T, uint64_t>, std::is_same<T, int64_t>> {};

struct ValueConverter {
    Napi::Env env;
    const std::string& key;

    Napi::Value operator()(bool value) const { return Napi::Boolean::New(env, value); }
    Napi::Value operator()(const std::string& value) const { return Napi::String::New(env, value); }
    Napi::Value operator()(const std::vector<bool>& values) const { return from_booleans(env, values); }
    Napi::Value operator()(const std::vector<std::string>& values) const { return from_strings(env, values); }
    template <class Number>
    Napi::Value operator()(Number value) const {
        if constexpr (is_wide<Number>::value) return from_wide_integer(env, value, key);
        return Napi::Number::New(env, static_cast<double>(value));
    }
    template <class Number>
    Napi::Value operator()(const std::vector<Number>& values) const {
        if constexpr (is_wide<Number>::value) {
            return from_wide_integers(env, values, key);
        } else {
            return from_numbers(env, values);
        }
    }
};

Napi::Object from_entry(Napi::Env env, const GgufEntry& entry) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("key", entry.key);
    object.Set("type", gguf_type_name(entry.type));
    if (entry.type == GgufType::array) object.Set("elementType", gguf_type_name(entry.element_type));
    object.Set("value", std::visit(ValueConverter{env, entry.key}, entry.value));
    return object;
}

Napi::Object from_tensor(Napi::Env env, const GgufTensor& tensor) {
    Napi::Array shape = Napi::Array::New(env, tensor.shape.size());
    for (size_t i = 0; i < tensor.shape.size(); ++i) {
        shape.Set(static_cast<uint32_t>(i), static_cast<double>(tensor.shape[i]));
    }
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", tensor.name);
    object.Set("type", ggml_type_name(tensor.type));
    object.Set("shape", shape);
    object.Set("offset", static_cast<double>(tensor.offset));
    object.Set("byteLength", static_cast<double>(tensor.byte_length));
    return object;
}

// An object for each item. Each has a scope of its own: a vocabulary's worth of handles is not held at once.
template <class Items, class Convert>
Napi::Array from_items(Napi::Env env, const Items& items, Convert convert) {
    Napi::Array array = Napi::Array::New(env, items.size());
    for (size_t i = 0; i < items.size(); ++i) {
        const Napi::HandleScope scope(env);
        array.Set(static_cast<uint32_t>(i), convert(env, items[i]));
    }
    return array;
}

Napi::Value read_gguf(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        const auto file = GgufFile::open(to_path(info[0], "path"));
        Napi::Object object = Napi::Object::New(env);
        object.Set("version", static_cast<double>(file->version()));
        object.Set("alignment", static_cast<double>(file->alignment()));
        object.Set("fileSize", static_cast<double>(file->file_size()));
        object.Set("metadata", from_items(env, file->metadata(), from_entry));
        object.Set("tensors", from_items(env, file->tensors(), from_tensor));
        return object;
    });
}

}  // namespace

void define_gguf_functions(Napi::Env env, Napi::Object exports) {
    exports.Set("readGguf", Napi::Function::New(env, read_gguf, "readGguf"));
}

}  // namespace instructblip
