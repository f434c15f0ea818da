#include "engine-functions.h"

#include "convert.h"
#include "engine.h"
#include "environment.h"

namespace instructblip {
namespace {

Napi::Object from_device(Napi::Env env, const DeviceInfo& device) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", device.name);
    object.Set("description", device.description);
    object.Set("type", device.type);
    object.Set("memoryFree", static_cast<double>(device.memory_free));
    object.Set("memoryTotal", static_cast<double>(device.memory_total));
    return object;
}

Napi::Value initialize(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        const EngineInfo engine =
            initialize_engine(to_path(info[0], "directory"), to_strings(info[1], "moduleDirectories"));
        Napi::Array devices = Napi::Array::New(env, engine.devices.size());
        for (size_t i = 0; i < engine.devices.size(); ++i) {
            devices.Set(static_cast<uint32_t>(i), from_device(env, engine.devices[i]));
        }
        Napi::Object result = Napi::Object::New(env);
        result.Set("version", engine.version);
        result.Set("directory", engine.directory);
        result.Set("cpuFeatures", engine.cpu_features);
        result.Set("devices", devices);
        return result;
    });
}

Napi::Value shut_down(const Napi::CallbackInfo& info) {
    Environment::of(info.Env()).shut_down();
    return info.Env().Undefined();
}

Napi::Value set_log_listener(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] { Environment::of(info.Env()).set_log_listener(info[0]); });
    return info.Env().Undefined();
}

}  // namespace

void define_engine_functions(Napi::Env env, Napi::Object exports) {
    exports.Set("linkedDirectory", INSTRUCTBLIP_ENGINE_DIRECTORY);
    exports.Set("initialize", Napi::Function::New(env, initialize, "initialize"));
    exports.Set("shutDown", Napi::Function::New(env, shut_down, "shutDown"));
    exports.Set("setLogListener", Napi::Function::New(env, set_log_listener, "setLogListener"));
}

}  // namespace instructblip
