#include "vocabulary.h"

#include <variant>

#include "config-limits.h"
#include "error.h"

namespace instructblip {
namespace {

constexpr int64_t byte_type = 6;  // of `tokenizer.ggml.token_type`, the last one

std::vector<std::string> read_tokens(const GgufFile& file) {
    const char* const key = "tokenizer.ggml.tokens";
    const std::vector<std::string>& tokens = file.require_strings(key);
    if (tokens.empty() || static_cast<int64_t>(tokens.size()) > limits::vocabulary) {
        file.throw_key_invalid(key, "an array of 1.." + std::to_string(limits::vocabulary) + " strings, not of " +
                                        std::to_string(tokens.size()));
    }
    return tokens;
}

void check_length(const GgufFile& file, const char* key, size_t length, size_t tokens) {
    if (length == tokens) return;
    file.throw_key_invalid(
        key, "an array of " + std::to_string(tokens) + ", one value for each token, not of " + std::to_string(length));
}

std::vector<int32_t> read_types(const GgufFile& file, size_t tokens) {
    const char* const key = "tokenizer.ggml.token_type";
    const std::vector<int64_t> types = file.require_integers(key, 0, byte_type);
    check_length(file, key, types.size(), tokens);
    return {types.begin(), types.end()};
}

std::vector<float> read_scores(const GgufFile& file, size_t tokens) {
    const char* const key = "tokenizer.ggml.scores";
    const std::vector<double> scores = file.require_numbers(key);
    check_length(file, key, scores.size(), tokens);
    std::vector<float> result;
    result.reserve(scores.size());
    for (const double score : scores) result.push_back(static_cast<float>(score));
    return result;
}

// llama.cpp's converter writes bytes as u8 or, in older versions, i8.
std::vector<uint8_t> read_charsmap(const GgufFile& file) {
    const char* const key = "tokenizer.ggml.precompiled_charsmap";
    const GgufEntry* const entry = file.find(key);
    if (entry == nullptr) return {};
    if (const auto* const bytes = std::get_if<std::vector<uint8_t>>(&entry->value)) return *bytes;
    if (const auto* const bytes = std::get_if<std::vector<int8_t>>(&entry->value)) {
        return {bytes->begin(), bytes->end()};
    }
    file.throw_key_invalid(key, "an array of bytes (u8)");
}

bool bool_or(const GgufFile& file, const char* key, bool fallback) {
    return file.find(key) == nullptr ? fallback : file.require_bool(key);
}

int32_t id_or_none(const GgufFile& file, const char* key, size_t tokens) {
    if (file.find(key) == nullptr) return -1;
    return static_cast<int32_t>(file.require_integer(key, 0, static_cast<int64_t>(tokens) - 1));
}

}  // namespace

Vocabulary Vocabulary::read(const GgufFile& file) {
    Vocabulary vocabulary{};
    vocabulary.kind = file.require_string("tokenizer.ggml.model");
    if (vocabulary.kind != "t5" && vocabulary.kind != "gpt2") {
        throw ModelError(
            "MODEL_FILE_UNSUPPORTED",
            "model file " + file.path() +
                " is not supported: its tokenizer (key 'tokenizer.ggml.model') "
                "is '" +
                vocabulary.kind.substr(0, 60) +
                "'; 't5' (SentencePiece Unigram) and 'gpt2' (byte-level BPE) are implemented for its kind");
    }
    vocabulary.tokens = read_tokens(file);
    const size_t count = vocabulary.tokens.size();
    vocabulary.types = read_types(file, count);
    const bool unigram = vocabulary.kind == "t5";
    if (unigram) {
        vocabulary.scores = read_scores(file, count);
        vocabulary.charsmap = read_charsmap(file);
    } else {
        vocabulary.merges = file.require_strings("tokenizer.ggml.merges");
    }
    vocabulary.add_space_prefix = bool_or(file, "tokenizer.ggml.add_space_prefix", unigram);
    vocabulary.remove_extra_whitespaces = bool_or(file, "tokenizer.ggml.remove_extra_whitespaces", unigram);
    vocabulary.unk_token = id_or_none(file, "tokenizer.ggml.unknown_token_id", count);
    vocabulary.eos_token = id_or_none(file, "tokenizer.ggml.eos_token_id", count);
    return vocabulary;
}

}  // namespace instructblip
