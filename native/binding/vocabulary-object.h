// `NativeLanguageVocabulary` for JavaScript, openVocabulary and readPair: what a processor needs of model files.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>

#include "llama-vocabulary.h"

namespace instructblip {

class VocabularyObject : public Napi::ObjectWrap<VocabularyObject> {
  public:
    // Defines the class for this environment, and the functions.
    static void define(Napi::Env env, Napi::Object exports);

    explicit VocabularyObject(const Napi::CallbackInfo& info);

  private:
    static Napi::Value open(const Napi::CallbackInfo& info);
    static Napi::Value read_pair(const Napi::CallbackInfo& info);

    Napi::Value tokenize(const Napi::CallbackInfo& info);
    Napi::Value token_bytes(const Napi::CallbackInfo& info);

    const EngineTokenizer& require_tokenizer() const;

    std::unique_ptr<const LlamaVocabularyTokenizer> tokenizer_;  // of LLaMA; else the tokenizer runs in TypeScript
};

}  // namespace instructblip
