// JavaScript values to C++ and back. Every argument's type is checked: a wrong one is an OPTION_INVALID, never a crash.
#pragma once

#include <napi.h>

#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include "error.h"

namespace instructblip {

// The JavaScript error (with its `code`) for the exception at hand.
Napi::Error to_js_error(Napi::Env env, const std::exception_ptr& exception);

// Runs `body`; what it throws becomes a JavaScript exception with a code.
template <class Body>
auto guarded(Napi::Env env, const Body& body) -> decltype(body()) {
    try {
        return body();
    } catch (const Napi::Error&) {
        throw;
    } catch (...) {
        throw to_js_error(env, std::current_exception());
    }
}

[[noreturn]] void throw_wrong_type(const std::string& name, const char* expected);

std::string to_string(const Napi::Value& value, const std::string& name);
// Without NUL characters, which file names cannot have.
std::string to_path(const Napi::Value& value, const std::string& name);
bool to_bool(const Napi::Value& value, const std::string& name);
// An integer in minimum..maximum.
int64_t to_integer(const Napi::Value& value, const std::string& name, int64_t minimum, int64_t maximum);
std::vector<float> to_floats(const Napi::Value& value, const std::string& name);
std::vector<int32_t> to_ints(const Napi::Value& value, const std::string& name);
std::vector<uint8_t> to_bytes(const Napi::Value& value, const std::string& name);
std::vector<std::string> to_strings(const Napi::Value& value, const std::string& name);

Napi::Float32Array from_floats(Napi::Env env, const std::vector<float>& values);
Napi::Int32Array from_ints(Napi::Env env, const std::vector<int32_t>& values);
Napi::Uint8Array from_bytes(Napi::Env env, const void* data, size_t size);
Napi::Array from_strings(Napi::Env env, const std::vector<std::string>& values);

}  // namespace instructblip
