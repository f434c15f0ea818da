#include "convert.h"

#include <cmath>
#include <cstring>
#include <new>

namespace instructblip {
namespace {

Napi::Error make_error(Napi::Env env, const std::string& code, const std::string& message) {
    Napi::Error error = Napi::Error::New(env, message);
    error.Set("code", Napi::String::New(env, code));
    return error;
}

template <class Array>
Array filled_array(Napi::Env env, const void* data, size_t count) {
    Array array = Array::New(env, count);
    if (count > 0) std::memcpy(array.Data(), data, count * array.ElementSize());
    return array;
}

// A copy of a typed array of exactly this element type.
template <class Element>
std::vector<Element> copied(const Napi::Value& value, napi_typedarray_type type, const std::string& name,
                            const char* expected) {
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
        throw_wrong_type(name, expected);
    const auto array = value.As<Napi::TypedArrayOf<Element>>();
    const Element* data = array.Data();
    return data == nullptr ? std::vector<Element>() : std::vector<Element>(data, data + array.ElementLength());
}

}  // namespace

Napi::Error to_js_error(Napi::Env env, const std::exception_ptr& exception) {
    try {
        std::rethrow_exception(exception);
    } catch (const ModelError& error) {
        return make_error(env, error.code(), error.what());
    } catch (const std::bad_alloc&) {
        return make_error(env, "OUT_OF_MEMORY",
                          "memory could not be had: free some, or use a smaller model, context or batch");
    } catch (const std::exception& error) {
        return make_error(env, "DEVICE_FAILED", error.what());
    } catch (...) {
        return make_error(env, "DEVICE_FAILED", "unknown failure inside the engine");
    }
}

void throw_wrong_type(const std::string& name, const char* expected) {
    throw ModelError("OPTION_INVALID", name + " must be " + expected);
}

std::string to_string(const Napi::Value& value, const std::string& name) {
    if (!value.IsString()) throw_wrong_type(name, "a string");
    return value.As<Napi::String>().Utf8Value();
}

std::string to_path(const Napi::Value& value, const std::string& name) {
    std::string path = to_string(value, name);
    if (path.empty() || path.find('\0') != std::string::npos) throw_wrong_type(name, "a file path");
    return path;
}

bool to_bool(const Napi::Value& value, const std::string& name) {
    if (!value.IsBoolean()) throw_wrong_type(name, "a boolean");
    return value.As<Napi::Boolean>().Value();
}

int64_t to_integer(const Napi::Value& value, const std::string& name, int64_t minimum, int64_t maximum) {
    const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
    if (!(number >= static_cast<double>(minimum) && number <= static_cast<double>(maximum)) ||
        std::floor(number) != number) {
        const std::string range = std::to_string(minimum) + ".." + std::to_string(maximum);
        throw ModelError("OPTION_INVALID", name + " must be an integer in " + range);
    }
    return static_cast<int64_t>(number);
}

std::vector<float> to_floats(const Napi::Value& value, const std::string& name) {
    return copied<float>(value, napi_float32_array, name, "a Float32Array");
}

std::vector<int32_t> to_ints(const Napi::Value& value, const std::string& name) {
    return copied<int32_t>(value, napi_int32_array, name, "an Int32Array");
}

std::vector<uint8_t> to_bytes(const Napi::Value& value, const std::string& name) {
    return copied<uint8_t>(value, napi_uint8_array, name, "a Uint8Array");
}

std::vector<std::string> to_strings(const Napi::Value& value, const std::string& name) {
    if (!value.IsArray()) throw_wrong_type(name, "an array of strings");
    const auto array = value.As<Napi::Array>();
    std::vector<std::string> strings;
    strings.reserve(array.Length());
    for (uint32_t i = 0; i < array.Length(); ++i) {
        strings.push_back(to_string(array.Get(i), name + "[" + std::to_string(i) + "]"));
    }
    return strings;
}

Napi::Float32Array from_floats(Napi::Env env, const std::vector<float>& values) {
    return filled_array<Napi::Float32Array>(env, values.data(), values.size());
}

Napi::Int32Array from_ints(Napi::Env env, const std::vector<int32_t>& values) {
    return filled_array<Napi::Int32Array>(env, values.data(), values.size());
}

Napi::Uint8Array from_bytes(Napi::Env env, const void* data, size_t size) {
    return filled_array<Napi::Uint8Array>(env, data, size);
}

Napi::Array from_strings(Napi::Env env, const std::vector<std::string>& values) {
    Napi::Array array = Napi::Array::New(env, values.size());
    for (size_t i = 0; i < values.size(); ++i) array.Set(static_cast<uint32_t>(i), Napi::String::New(env, values[i]));
    return array;
}

}  // namespace instructblip
