#include "vocabulary-object.h"

#include <limits>
#include <optional>
#include <string>

#include "convert.h"
#include "environment.h"
#include "model-info.h"
#include "vocabulary.h"

namespace instructblip {
namespace {

// -1 = none. libllama ignores ids of tokens that there are not, and so do we.
int64_t padding_token(const GgufFile& file, int64_t tokens) {
    const char* const key = "tokenizer.ggml.padding_token_id";
    if (file.find(key) == nullptr) return -1;
    const int64_t id = file.require_integer(key, -1, std::numeric_limits<uint32_t>::max());
    return id < tokens ? id : -1;
}

}  // namespace

void VocabularyObject::define(Napi::Env env, Napi::Object exports) {
    Environment::of(env).vocabulary_class =
        Napi::Persistent(DefineClass(env, "LanguageVocabulary",
                                     {InstanceMethod<&VocabularyObject::tokenize>("tokenize"),
                                      InstanceMethod<&VocabularyObject::token_bytes>("tokenBytes")}));
    exports.Set("openVocabulary", Napi::Function::New(env, open, "openVocabulary"));
    exports.Set("readPair", Napi::Function::New(env, read_pair, "readPair"));
}

VocabularyObject::VocabularyObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

Napi::Value VocabularyObject::open(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        const auto file = GgufFile::open(to_path(info[0], "languageModelPath"));
        Napi::Object object = Environment::of(env).vocabulary_class.New({});
        VocabularyObject* const self = Unwrap(object);
        std::optional<Vocabulary> vocabulary;
        int64_t tokens = 0;
        if (file->require_string("general.architecture") == "llama") {
            self->tokenizer_ = std::make_unique<LlamaVocabularyTokenizer>(*file);
            tokens = self->tokenizer_->size();
        } else {
            vocabulary = Vocabulary::read(*file);
            tokens = static_cast<int64_t>(vocabulary->tokens.size());
        }
        object.Set("vocabularySize", static_cast<double>(tokens));
        object.Set("padTokenId", static_cast<double>(padding_token(*file, tokens)));
        object.Set("longestTokenBytes", self->tokenizer_ ? self->tokenizer_->longest_token() : 0);
        object.Set("languageVocabulary", from_vocabulary(env, vocabulary));
        return object;
    });
}

Napi::Value VocabularyObject::read_pair(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        const ModelFacts facts =
            InstructBlip::check({to_path(info[0], "visionPath"), to_path(info[1], "languageModelPath")});
        Napi::Object object = Napi::Object::New(env);
        object.Set("info", from_model_facts(env, facts));
        object.Set("qformerVocabulary", from_strings(env, facts.processor.tokens));
        return object;
    });
}

const EngineTokenizer& VocabularyObject::require_tokenizer() const {
    if (tokenizer_) return *tokenizer_;
    throw ModelError("OPTION_UNSUPPORTED", "the tokenizer of this vocabulary is not the engine's");
}

Napi::Value VocabularyObject::tokenize(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        const std::string text = to_string(info[0], "text");
        return from_ints(info.Env(), require_tokenizer().tokenize(text, to_bool(info[1], "parseSpecial")));
    });
}

Napi::Value VocabularyObject::token_bytes(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        const auto token = static_cast<int32_t>(to_integer(info[0], "token", 0, std::numeric_limits<int32_t>::max()));
        const std::string bytes = require_tokenizer().token_bytes(token, to_bool(info[1], "special"));
        return from_bytes(info.Env(), bytes.data(), bytes.size());
    });
}

}  // namespace instructblip
