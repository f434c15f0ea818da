#include "model-object.h"

#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cancel-token-object.h"
#include "convert.h"
#include "error.h"
#include "model-info.h"
#include "session-object.h"

namespace instructblip {
namespace {

constexpr int64_t largest_int = std::numeric_limits<int32_t>::max();
constexpr int64_t largest_side = 1 << 20;  // of a picture, in pixels

std::optional<ggml_type> to_cache_type(const Napi::Value& value) {
    const std::string name = to_string(value, "kvCacheType");
    if (name == "auto") return {};
    if (name == "f32") return GGML_TYPE_F32;
    if (name == "f16") return GGML_TYPE_F16;
    if (name == "q8_0") return GGML_TYPE_Q8_0;
    throw ModelError("OPTION_INVALID", "kvCacheType must be 'auto', 'f32', 'f16' or 'q8_0', not '" + name + "'");
}

Napi::Object to_object(const Napi::Value& value, const std::string& name) {
    if (!value.IsObject()) throw_wrong_type(name, "an object");
    return value.As<Napi::Object>();
}

ModelOptions to_model_options(const Napi::Object& options) {
    const auto integer = [&](const char* name, int64_t minimum, int64_t maximum) {
        return static_cast<int32_t>(to_integer(options.Get(name), name, minimum, maximum));
    };
    ModelOptions result;
    result.device = to_string(options.Get("device"), "device");
    result.threads = integer("threads", 0, largest_int);
    result.language_model.gpu_layers = integer("gpuLayers", -1, largest_int);
    result.language_model.context_size = integer("contextSize", 0, largest_int);
    result.language_model.max_sequences = integer("maxSequences", 1, largest_int);
    result.language_model.kv_cache_type = to_cache_type(options.Get("kvCacheType"));
    const auto stage = [&](const char* name) {
        return options.Get(name).IsUndefined() || to_bool(options.Get(name), name);
    };
    result.stages = {stage("visionEncoder"), stage("qformer")};
    return result;
}

Napi::Value from_trace(Napi::Env env, const Trace& trace) {
    Napi::Object result = Napi::Object::New(env);
    for (const auto& [name, tensor] : trace.tensors()) {
        Napi::Array shape = Napi::Array::New(env, tensor.shape.size());
        for (size_t i = 0; i < tensor.shape.size(); ++i) {
            shape.Set(static_cast<uint32_t>(i), static_cast<double>(tensor.shape[i]));
        }
        Napi::Object object = Napi::Object::New(env);
        object.Set("shape", shape);
        object.Set("data", from_floats(env, tensor.data));
        result.Set(name, object);
    }
    return result;
}

const EngineTokenizer& require_tokenizer(const InstructBlip& model) {
    if (const EngineTokenizer* const tokenizer = model.language_model().tokenizer()) return *tokenizer;
    throw ModelError("OPTION_UNSUPPORTED", "the tokenizer of this language model is not the engine's");
}

}  // namespace

void ModelObject::define(Napi::Env env, Napi::Object exports) {
    Environment& environment = Environment::of(env);
    environment.model_class = Napi::Persistent(DefineClass(
        env, "Model",
        {InstanceMethod<&ModelObject::tokenize>("tokenize"), InstanceMethod<&ModelObject::token_bytes>("tokenBytes"),
         InstanceMethod<&ModelObject::encode_image>("encodeImage"),
         InstanceMethod<&ModelObject::query_image>("queryImage"), InstanceMethod<&ModelObject::run_vision>("runVision"),
         InstanceMethod<&ModelObject::run_qformer>("runQFormer"),
         InstanceMethod<&ModelObject::run_language>("runLanguage"),
         InstanceMethod<&ModelObject::create_session>("createSession"),
         InstanceMethod<&ModelObject::dispose>("dispose")}));
    environment.session_class = Napi::Persistent(SessionObject::define(env));
    exports.Set("loadModel", Napi::Function::New(env, load, "loadModel"));
}

ModelObject::ModelObject(const Napi::CallbackInfo& info)
    : ObjectWrap(info), host_(std::make_shared<ModelHost>(Environment::of(info.Env()).make_queue())) {}

// The engine thread ends first: whatever it held of the host is let go of before we let go.
ModelObject::~ModelObject() {
    host_->end();
    host_->queue->stop();
}

Napi::Value ModelObject::load(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        Environment& environment = Environment::of(info.Env());
        const Napi::Object options = to_object(info[0], "options");
        const Napi::Value language_model = options.Get("languageModelPath");
        const ModelPaths paths{to_path(options.Get("visionPath"), "visionPath"),
                               language_model.IsNull() ? "" : to_path(language_model, "languageModelPath")};
        const Napi::Object object = environment.model_class.New({});
        ModelObject* const self = Unwrap(object);  // lives as long as the call: it is what the call keeps alive
        const std::shared_ptr<ModelHost> host = self->host_;
        const auto on_progress = info[2].IsFunction() ? info[2].As<Napi::Function>() : Napi::Function();
        const CallScope scope{host.get(), object, CancelTokenObject::unwrap(info[1], "cancel"), on_progress};
        auto work = [self, host, paths, model_options = to_model_options(options)](const CancelToken& cancel,
                                                                                   const Progress& progress) -> Settle {
            const LoadProgress report = [&](const char* stage, uint64_t loaded, uint64_t total) {
                progress(stage, static_cast<double>(loaded), static_cast<double>(total));
            };
            host->model = std::make_unique<InstructBlip>(paths, model_options, report, cancel);
            return [self](Napi::Env) { return self->described(); };
        };
        return environment.call(*host->queue, scope, std::move(work));
    });
}

// The object, with `info`, `qformerVocabulary` and `languageVocabulary`.
Napi::Object ModelObject::described() {
    const Napi::Env env = Env();
    host_->loaded = true;
    Napi::Object self = Value();
    self.Set("info", from_model_info(env, *host_->model));
    self.Set("qformerVocabulary", from_strings(env, host_->model->facts().processor.tokens));
    const auto& file = host_->model->facts().language_model;
    self.Set("languageVocabulary", from_vocabulary(env, file ? file->vocabulary : std::nullopt));
    return self;
}

CallScope ModelObject::scope_of(const Napi::Value& cancel) {
    return {host_.get(), Value(), CancelTokenObject::unwrap(cancel, "cancel"), {}};
}

Napi::Value ModelObject::tokenize(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        const InstructBlip& model = host_->require();
        const std::string text = to_string(info[0], "text");
        const Napi::Object options = to_object(info[1], "options");
        const bool add_bos = to_bool(options.Get("addBos"), "addBos");
        const bool parse_special = to_bool(options.Get("parseSpecial"), "parseSpecial");
        std::vector<int32_t> ids = require_tokenizer(model).tokenize(text, parse_special);
        const int32_t bos = model.facts().text.prompt_bos_token_id;
        if (add_bos && bos >= 0) ids.insert(ids.begin(), bos);
        return from_ints(info.Env(), ids);
    });
}

Napi::Value ModelObject::token_bytes(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        const auto token = static_cast<int32_t>(to_integer(info[0], "token", 0, largest_int));
        const std::string bytes = require_tokenizer(host_->require()).token_bytes(token, to_bool(info[1], "special"));
        return from_bytes(info.Env(), bytes.data(), bytes.size());
    });
}

Napi::Value ModelObject::encode_image(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        host_->require();
        auto work = [host = host_, pixels = to_floats(info[0], "pixels")](const CancelToken& cancel,
                                                                          const Progress&) -> Settle {
            return settle_floats(host->model->encode_image(pixels, cancel));
        };
        return Environment::of(info.Env()).call(*host_->queue, scope_of(info[1]), std::move(work));
    });
}

Napi::Value ModelObject::query_image(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        host_->require();
        auto work = [host = host_, features = to_floats(info[0], "features"), ids = to_ints(info[1], "ids")](
                        const CancelToken& cancel, const Progress&) -> Settle {
            return settle_floats(host->model->query_image(features, ids, cancel));
        };
        return Environment::of(info.Env()).call(*host_->queue, scope_of(info[2]), std::move(work));
    });
}

// Runs a stage for the intermediates of these names.
Napi::Value ModelObject::run_stage(const Napi::Value& names, const Napi::Value& cancel, StageRun run) {
    host_->require();
    const std::vector<std::string> list = to_strings(names, "names");
    auto work = [host = host_, wanted = std::set<std::string>(list.begin(), list.end()), run = std::move(run)](
                    const CancelToken& token, const Progress&) -> Settle {
        const auto trace = std::make_shared<Trace>(wanted);
        run(*host->model, token, *trace);
        return [trace](Napi::Env env) { return from_trace(env, *trace); };
    };
    return Environment::of(Env()).call(*host_->queue, scope_of(cancel), std::move(work));
}

Napi::Value ModelObject::run_vision(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        const GridSize size{to_integer(info[1], "height", 1, largest_side),
                            to_integer(info[2], "width", 1, largest_side)};
        return run_stage(info[3], info[4],
                         [pixels = to_floats(info[0], "pixels"), size](InstructBlip& model, const CancelToken& cancel,
                                                                       Trace& trace) {
                             model.run_vision(pixels, size, cancel, trace);
                         });
    });
}

Napi::Value ModelObject::run_qformer(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        QFormerInput input{to_floats(info[0], "features"),
                           to_ints(info[1], "ids"),
                           to_ints(info[2], "mask"),
                           to_ints(info[3], "featureMask"),
                           {}};
        if (!info[4].IsNull()) input.queries = to_floats(info[4], "queries");
        return run_stage(info[5], info[6],
                         [input = std::move(input)](InstructBlip& model, const CancelToken& cancel, Trace& trace) {
                             model.run_qformer(input, cancel, trace);
                         });
    });
}

Napi::Value ModelObject::run_language(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        ForwardInput input{to_floats(info[0], "softTokens"), to_ints(info[1], "tokens"), to_ints(info[2], "mask"),
                           to_ints(info[3], "answer"), to_ints(info[4], "answerMask")};
        return run_stage(info[5], info[6],
                         [input = std::move(input)](InstructBlip& model, const CancelToken& cancel, Trace& trace) {
                             model.run_language(input, cancel, trace);
                         });
    });
}

Napi::Value ModelObject::create_session(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        const auto cells = static_cast<int32_t>(to_integer(info[0], "cells", 1, largest_int));
        const auto sequences = static_cast<int32_t>(to_integer(info[1], "sequences", 1, largest_int));
        return SessionObject::create(Value(), host_, cells, sequences);
    });
}

Napi::Value ModelObject::dispose(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        if (host_->ended()) return disposal_.Value();
        Environment& environment = Environment::of(info.Env());
        environment.dispose_calls_of(host_.get());
        host_->end();
        auto work = [host = host_](const CancelToken&, const Progress&) -> Settle {
            host->model.reset();
            return [queue = host->queue](Napi::Env env) {
                queue->stop();
                return env.Undefined();
            };
        };
        const Napi::Promise promise = environment.call(*host_->queue, {nullptr, Value(), nullptr, {}}, std::move(work));
        disposal_ = Napi::Persistent(promise.As<Napi::Object>());
        return promise;
    });
}

}  // namespace instructblip
