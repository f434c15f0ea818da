#include "model-info.h"

#include <array>
#include <vector>

#include "convert.h"

namespace instructblip {
namespace {

Napi::Array from_channels(Napi::Env env, const std::array<double, 3>& values) {
    Napi::Array array = Napi::Array::New(env, values.size());
    for (size_t i = 0; i < values.size(); ++i) array.Set(static_cast<uint32_t>(i), values[i]);
    return array;
}

Napi::Array from_ids(Napi::Env env, const std::vector<int32_t>& ids) {
    Napi::Array array = Napi::Array::New(env, ids.size());
    for (size_t i = 0; i < ids.size(); ++i) array.Set(static_cast<uint32_t>(i), ids[i]);
    return array;
}

double number(int64_t value) {
    return static_cast<double>(value);
}

Napi::Object from_tokenizer(Napi::Env env, const ProcessorFacts& facts) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("clsTokenId", number(facts.cls_token_id));
    object.Set("sepTokenId", number(facts.sep_token_id));
    object.Set("padTokenId", number(facts.pad_token_id));
    object.Set("unkTokenId", number(facts.unk_token_id));
    object.Set("lowercase", facts.lowercase);
    object.Set("stripAccents", facts.strip_accents);
    object.Set("tokenizeChineseChars", facts.tokenize_chinese_chars);
    object.Set("specialTokenIds", from_ids(env, facts.special_tokens));
    return object;
}

void add_image_facts(Napi::Object& info, const ModelFacts& facts) {
    info.Set("imageSize", number(facts.vision.image_size));
    info.Set("imageMean", from_channels(info.Env(), facts.processor.image_mean));
    info.Set("imageStd", from_channels(info.Env(), facts.processor.image_std));
    info.Set("rescaleFactor", facts.processor.rescale_factor);
    info.Set("visionHiddenSize", number(facts.vision.hidden_size));
    info.Set("visionTokens", number(facts.vision.token_count()));
}

void add_qformer_facts(Napi::Object& info, const ModelFacts& facts) {
    info.Set("imageTokens", number(facts.qformer.num_query_tokens));
    info.Set("qformerHiddenSize", number(facts.qformer.hidden_size));
    info.Set("qformerMaxTokens", number(facts.qformer.max_position_embeddings));
    info.Set("qformerVocabularySize", number(facts.qformer.vocab_size));
    info.Set("qformerTokenizer", from_tokenizer(info.Env(), facts.processor));
}

void add_text_facts(Napi::Object& info, const TextFacts& text) {
    info.Set("name", text.name);
    info.Set("languageModel", text.model_type);
    info.Set("languageArchitecture", text.architecture);
    info.Set("promptBosTokenId", text.prompt_bos_token_id);
    info.Set("promptEosTokenId", text.prompt_eos_token_id);
    info.Set("decoderStartTokenId", text.decoder_start_token_id);
    info.Set("cleanUpTokenizationSpaces", text.clean_up_tokenization_spaces);
    info.Set("bosTokenId", text.bos_token_id);
    info.Set("eosTokenIds", from_ids(info.Env(), text.eos_token_ids));
    info.Set("padTokenId", text.pad_token_id);
    info.Set("imageTokenId", text.image_token_id);
}

}  // namespace

Napi::Object from_model_facts(Napi::Env env, const ModelFacts& facts) {
    Napi::Object info = Napi::Object::New(env);
    add_image_facts(info, facts);
    add_qformer_facts(info, facts);
    add_text_facts(info, facts.text);
    const auto& file = facts.language_model;
    info.Set("languageHiddenSize", number(file ? file->embedding_length : facts.vision.projection_size));
    info.Set("vocabularySize", number(file ? file->vocabulary_size : facts.text.vocab_size));
    info.Set("vocabularyEosTokenId", file ? file->eos_token : -1);
    return info;
}

Napi::Object from_model_info(Napi::Env env, const InstructBlip& model) {
    const LanguageModel* const language = model.has_language_model() ? &model.language_model() : nullptr;
    const EngineTokenizer* const tokenizer = language == nullptr ? nullptr : language->tokenizer();
    Napi::Object info = from_model_facts(env, model.facts());
    info.Set("device", model.device_name());
    info.Set("contextSize", language == nullptr ? 0 : language->context_size());
    info.Set("maxPositions", number(language == nullptr ? 0 : language->max_positions()));
    info.Set("longestTokenBytes", tokenizer == nullptr ? 0 : tokenizer->longest_token());
    return info;
}

Napi::Value from_vocabulary(Napi::Env env, const std::optional<Vocabulary>& vocabulary) {
    if (!vocabulary) return env.Null();
    Napi::Object object = Napi::Object::New(env);
    object.Set("kind", vocabulary->kind);
    object.Set("tokens", from_strings(env, vocabulary->tokens));
    object.Set("scores", from_floats(env, vocabulary->scores));
    object.Set("types", from_ints(env, vocabulary->types));
    object.Set("charsmap", from_bytes(env, vocabulary->charsmap.data(), vocabulary->charsmap.size()));
    object.Set("merges", from_strings(env, vocabulary->merges));
    object.Set("addSpacePrefix", vocabulary->add_space_prefix);
    object.Set("removeExtraWhitespaces", vocabulary->remove_extra_whitespaces);
    object.Set("unkTokenId", vocabulary->unk_token);
    return object;
}

}  // namespace instructblip
