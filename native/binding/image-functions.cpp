#include "image-functions.h"

#include <memory>
#include <string>

#include "cancel-token-object.h"
#include "convert.h"
#include "environment.h"
#include "image/resize.h"

namespace instructblip {
namespace {

constexpr int64_t longest_side = int64_t{1} << 24;  // products of two sides and 3 stay far from overflowing

// Not copied: a picture of a camera is 36 MB.
image::RgbView to_picture(const Napi::Value& value, int64_t width, int64_t height) {
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
        throw_wrong_type("data", "a Uint8Array");
    const auto array = value.As<Napi::Uint8Array>();
    if (array.ElementLength() != static_cast<size_t>(width * height * 3))
        throw_wrong_type("data", ("of " + std::to_string(width * height * 3) + " bytes").c_str());
    return {array.Data(), width, height};
}

// (data, width, height, newWidth, newHeight, cancel) → promise of the new data.
Napi::Value resize(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        const int64_t width = to_integer(info[1], "width", 1, longest_side);
        const int64_t height = to_integer(info[2], "height", 1, longest_side);
        const int64_t new_width = to_integer(info[3], "newWidth", 1, longest_side);
        const int64_t new_height = to_integer(info[4], "newHeight", 1, longest_side);
        const image::RgbView picture = to_picture(info[0], width, height);
        const CallScope scope{nullptr, info[0].As<Napi::Object>(), CancelTokenObject::unwrap(info[5], "cancel"), {}};
        Environment& environment = Environment::of(env);
        auto work = [=](const CancelToken& cancel, const Progress&) -> Settle {
            const auto resized =
                std::make_shared<const std::vector<uint8_t>>(image::resize(picture, new_width, new_height, cancel));
            return [=](Napi::Env current) -> Napi::Value {
                return {current, from_bytes(current, resized->data(), resized->size())};
            };
        };
        return environment.call(environment.worker(), scope, std::move(work));
    });
}

}  // namespace

void define_image_functions(Napi::Env env, Napi::Object exports) {
    exports.Set("resizeImage", Napi::Function::New(env, resize, "resizeImage"));
}

}  // namespace instructblip
