#include "llama-vocabulary-check.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

namespace instructblip {
namespace {

constexpr int64_t any_u32 = std::numeric_limits<uint32_t>::max();
constexpr int64_t byte_type = 6;  // of `tokenizer.ggml.token_type`, the last one

const char* const tokens_key = "tokenizer.ggml.tokens";
const char* const scores_key = "tokenizer.ggml.scores";
const char* const types_key = "tokenizer.ggml.token_type";

using IdByText = std::unordered_map<std::string, size_t>;

// `<0x0A>`
std::string byte_token(int byte) {
    const char* const digits = "0123456789ABCDEF";
    return std::string("<0x") + digits[byte >> 4] + digits[byte & 15] + ">";
}

bool is_byte_token(const std::string& text) {
    const auto is_hex = [](char digit) { return std::isxdigit(static_cast<unsigned char>(digit)) != 0; };
    return text.size() == 6 && text.compare(0, 3, "<0x") == 0 && is_hex(text[3]) && is_hex(text[4]) && text[5] == '>';
}

// What libllama makes of a token's text: it ends at a NUL character, and an empty one gets a name.
std::string text_in_libllama(const std::string& token, size_t id) {
    std::string text = token.substr(0, token.find('\0'));
    return text.empty() ? "[EMPTY_" + std::to_string(id) + "]" : text;
}

void check_model(const LlamaKeys& keys) {
    const std::string& model = keys.file().require_string("tokenizer.ggml.model");
    if (model != "llama") {
        keys.throw_unsupported("its tokenizer (key 'tokenizer.ggml.model') is '" + model.substr(0, 60) +
                               "'; only 'llama', SentencePiece as in LLaMA 1 and 2 and Vicuna, is supported");
    }
}

// libllama asserts that no two texts are equal.
IdByText check_texts(const LlamaKeys& keys) {
    const std::vector<std::string>& tokens = keys.file().require_strings(tokens_key);
    IdByText ids;
    ids.reserve(tokens.size());
    for (size_t id = 0; id < tokens.size(); ++id) {
        const auto [place, added] = ids.emplace(text_in_libllama(tokens[id], id), id);
        if (!added) {
            keys.throw_invalid(tokens_key, "an array of different texts (" + std::to_string(place->second) + " and " +
                                               std::to_string(id) + " are both '" + place->first.substr(0, 60) + "')");
        }
    }
    return ids;
}

// Text outside the vocabulary becomes bytes: without their tokens libllama throws while it tokenizes.
void check_bytes(const LlamaKeys& keys, const IdByText& ids) {
    for (int byte = 0; byte < 256; ++byte) {
        const bool has_token =
            ids.count(byte_token(byte)) > 0 || (byte > 0 && ids.count(std::string(1, static_cast<char>(byte))) > 0);
        if (!has_token) {
            keys.throw_invalid(tokens_key,
                               "an array with a token for every byte ('" + byte_token(byte) + "' is missing)");
        }
    }
}

void check_length(const LlamaKeys& keys, const char* key, size_t length, size_t tokens) {
    if (length != tokens) {
        keys.throw_invalid(key, "an array of " + std::to_string(tokens) + ", one value for each token");
    }
}

void check_scores(const LlamaKeys& keys, size_t tokens) {
    const GgufEntry* const entry = keys.file().find(scores_key);
    if (entry != nullptr && entry->type == GgufType::array && entry->element_type == GgufType::i32) {
        const auto& scores = std::get<std::vector<int32_t>>(entry->value);
        return check_length(keys, scores_key, scores.size(), tokens);
    }
    if (entry != nullptr && (entry->type != GgufType::array || entry->element_type != GgufType::f32)) {
        keys.throw_invalid(scores_key, "an array of f32");
    }
    check_length(keys, scores_key, keys.file().require_numbers(scores_key).size(), tokens);  // all finite
}

void check_types(const LlamaKeys& keys, const std::vector<std::string>& tokens) {
    const GgufEntry* const entry = keys.file().find(types_key);
    if (entry != nullptr && (entry->type != GgufType::array || entry->element_type != GgufType::i32)) {
        keys.throw_invalid(types_key, "an array of i32");
    }
    const std::vector<int64_t> types = keys.file().require_integers(types_key, 0, byte_type);
    check_length(keys, types_key, types.size(), tokens.size());
    for (size_t id = 0; id < types.size(); ++id) {
        // libllama cuts the number out of the text.
        if (types[id] == byte_type && !is_byte_token(tokens[id])) {
            keys.throw_invalid(types_key, "byte only for tokens like '<0x0A>' (token " + std::to_string(id) + " is '" +
                                              tokens[id].substr(0, 60) + "')");
        }
    }
}

int32_t read_id(const LlamaKeys& keys, const char* key, int32_t standard, size_t tokens) {
    return static_cast<int32_t>(keys.u32_or(key, standard, 0, static_cast<int64_t>(tokens) - 1));
}

// Whatever else libllama reads, by getters of one type. It ignores ids of these that are out of range.
void check_other_keys(const LlamaKeys& keys) {
    for (const char* const name : {"eot", "eom", "seperator", "padding", "mask", "fim_pre", "fim_suf", "fim_mid",
                                   "fim_pad", "fim_rep", "fim_sep", "prefix", "suffix", "middle"}) {
        keys.u32_or(std::string("tokenizer.ggml.") + name + "_token_id", 0, 0, any_u32);
    }
    for (const char* const name : {"add_space_prefix", "remove_extra_whitespaces", "add_bos_token", "add_eos_token",
                                   "add_sep_token", "normalizer.lowercase", "normalizer.strip_accents"}) {
        keys.check_type(std::string("tokenizer.ggml.") + name, GgufType::boolean);
    }
    keys.check_type("tokenizer.ggml.pre", GgufType::string);
    keys.u32_or("tokenizer.ggml.token_type_count", 0, 0, any_u32);
    const GgufEntry* const suppressed = keys.file().find("tokenizer.ggml.suppress_tokens");
    if (suppressed != nullptr && (suppressed->type != GgufType::array || suppressed->element_type != GgufType::i32)) {
        keys.throw_invalid(suppressed->key, "an array of i32");
    }
}

// A model of such a name gets libllama's changes for Phi-3, which look four tokens up without asking.
void check_name(const LlamaKeys& keys, const IdByText& ids) {
    std::string name = keys.string_or("general.name", "");
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
    if (name.find("phi-3") == std::string::npos && name.find("phi3") == std::string::npos) return;
    for (const char* const text : {"</s>", "<unk>", "<s>", "<|endoftext|>"}) {
        if (ids.count(text) == 0) {
            keys.throw_unsupported("general.name is '" + name + "', but its vocabulary has no '" + text +
                                   "'. Rename the model");
        }
    }
}

}  // namespace

LlamaVocabulary check_llama_vocabulary(const LlamaKeys& keys) {
    check_model(keys);
    const IdByText ids = check_texts(keys);
    check_bytes(keys, ids);
    check_scores(keys, ids.size());
    check_types(keys, keys.file().require_strings(tokens_key));
    check_other_keys(keys);
    check_name(keys, ids);
    LlamaVocabulary vocabulary{};
    vocabulary.size = static_cast<int64_t>(ids.size());
    vocabulary.bos_token_id = read_id(keys, "tokenizer.ggml.bos_token_id", 1, ids.size());
    vocabulary.eos_token_id = read_id(keys, "tokenizer.ggml.eos_token_id", 2, ids.size());
    vocabulary.unk_token_id = read_id(keys, "tokenizer.ggml.unknown_token_id", 0, ids.size());
    return vocabulary;
}

}  // namespace instructblip
