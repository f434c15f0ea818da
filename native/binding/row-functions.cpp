#include "row-functions.h"

#include <memory>
#include <utility>

#include "cancel-token-object.h"
#include "convert.h"
#include "environment.h"
#include "row-quantizer.h"

namespace instructblip {
namespace {

constexpr int64_t longest_row = int64_t{1} << 40;

// (type, data, rowLength, cancel) → promise of the converted rows.
template <class Input, class Convert, class Result>
Napi::Value convert_rows(const Napi::CallbackInfo& info, Input (*read)(const Napi::Value&, const std::string&),
                         Convert convert, Result make_result) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        auto type = to_string(info[0], "type");
        auto input = read(info[1], "data");
        const int64_t row_length = to_integer(info[2], "rowLength", 1, longest_row);
        const CallScope scope{nullptr, Napi::Object::New(env), CancelTokenObject::unwrap(info[3], "cancel"), {}};
        Environment& environment = Environment::of(env);
        auto work = [=, input = std::move(input)](const CancelToken& cancel, const Progress&) -> Settle {
            const auto output = std::make_shared<const decltype(convert(type, input, row_length, cancel))>(
                convert(type, input, row_length, cancel));
            return [=](Napi::Env current) -> Napi::Value { return {current, make_result(current, *output)}; };
        };
        return environment.call(environment.worker(), scope, std::move(work));
    });
}

Napi::Value quantize(const Napi::CallbackInfo& info) {
    return convert_rows(info, to_floats, quantize_rows, [](Napi::Env env, const std::vector<uint8_t>& bytes) {
        return from_bytes(env, bytes.data(), bytes.size());
    });
}

Napi::Value dequantize(const Napi::CallbackInfo& info) {
    return convert_rows(info, to_bytes, dequantize_rows, from_floats);
}

Napi::Value byte_length(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        const auto type = to_string(info[0], "type");
        const int64_t row_length = to_integer(info[1], "rowLength", 1, longest_row);
        return Napi::Number::New(info.Env(), static_cast<double>(row_byte_length(type, row_length)));
    });
}

}  // namespace

void define_row_functions(Napi::Env env, Napi::Object exports) {
    exports.Set("quantizeRows", Napi::Function::New(env, quantize, "quantizeRows"));
    exports.Set("dequantizeRows", Napi::Function::New(env, dequantize, "dequantizeRows"));
    exports.Set("rowByteLength", Napi::Function::New(env, byte_length, "rowByteLength"));
}

}  // namespace instructblip
