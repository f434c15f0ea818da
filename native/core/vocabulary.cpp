#include "vocabulary.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>
#include <variant>

#include "config-limits.h"
#include "error.h"

namespace instructblip {
namespace {

// Of `tokenizer.ggml.token_type`.
constexpr int32_t unknown_type = 2;
constexpr int32_t byte_type = 6;  // the last one

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

// `<0xE2>`
bool is_byte(const std::string& text) {
    return text.size() == 6 && text.compare(0, 3, "<0x") == 0 && std::isxdigit(static_cast<unsigned char>(text[3])) &&
           std::isxdigit(static_cast<unsigned char>(text[4])) && text[5] == '>';
}

std::vector<int32_t> read_types(const GgufFile& file, const std::vector<std::string>& tokens) {
    const char* const key = "tokenizer.ggml.token_type";
    const std::vector<int64_t> types = file.require_integers(key, 0, byte_type);
    check_length(file, key, types.size(), tokens.size());
    for (size_t id = 0; id < tokens.size(); ++id) {
        if (types[id] != byte_type || is_byte(tokens[id])) continue;
        file.throw_key_invalid(key, "6 (a byte) only for tokens like <0xE2>; it is so for token " + std::to_string(id) +
                                        ", '" + tokens[id].substr(0, 60) + "'");
    }
    return {types.begin(), types.end()};
}

std::vector<float> read_scores(const GgufFile& file, size_t tokens) {
    const char* const key = "tokenizer.ggml.scores";
    const std::vector<double> scores = file.require_numbers(key);
    check_length(file, key, scores.size(), tokens);
    std::vector<float> result;
    result.reserve(scores.size());
    for (const double score : scores) {
        if (std::abs(score) > static_cast<double>(std::numeric_limits<float>::max())) {
            file.throw_key_invalid(key, "an array of numbers within the range of f32");
        }
        result.push_back(static_cast<float>(score));
    }
    return result;
}

const char* const charsmap_key = "tokenizer.ggml.precompiled_charsmap";

// llama.cpp's converter writes bytes as u8 or, in older versions, i8.
std::vector<uint8_t> read_bytes(const GgufFile& file, const GgufEntry& entry) {
    if (const auto* const bytes = std::get_if<std::vector<uint8_t>>(&entry.value)) return *bytes;
    if (const auto* const bytes = std::get_if<std::vector<int8_t>>(&entry.value)) {
        return {bytes->begin(), bytes->end()};
    }
    file.throw_key_invalid(charsmap_key, "an array of bytes (u8)");
}

// [size u32][index of `size` bytes][texts]. What the index leads to is the tokenizer's to check.
std::vector<uint8_t> read_charsmap(const GgufFile& file) {
    const GgufEntry* const entry = file.find(charsmap_key);
    if (entry == nullptr) return {};
    std::vector<uint8_t> bytes = read_bytes(file, *entry);
    if (bytes.empty()) return bytes;
    uint32_t size = 0;
    if (bytes.size() >= sizeof(size)) std::memcpy(&size, bytes.data(), sizeof(size));
    if (size < sizeof(uint32_t) || size % sizeof(uint32_t) != 0 || size > bytes.size() - sizeof(size)) {
        file.throw_key_invalid(charsmap_key, "a sound map: it has " + std::to_string(bytes.size()) +
                                                 " bytes and says that " + std::to_string(size) + " are its index");
    }
    return bytes;
}

bool bool_or(const GgufFile& file, const char* key, bool fallback) {
    return file.find(key) == nullptr ? fallback : file.require_bool(key);
}

int32_t id_or_none(const GgufFile& file, const char* key, size_t tokens) {
    if (file.find(key) == nullptr) return -1;
    return static_cast<int32_t>(file.require_integer(key, 0, static_cast<int64_t>(tokens) - 1));
}

// Unigram has one for what no piece fits; where no key says which, its type does.
int32_t require_unknown(const GgufFile& file, const std::vector<int32_t>& types) {
    const char* const key = "tokenizer.ggml.unknown_token_id";
    if (file.find(key) == nullptr) {
        const auto found = std::find(types.begin(), types.end(), unknown_type);
        if (found != types.end()) return static_cast<int32_t>(found - types.begin());
    }
    return static_cast<int32_t>(file.require_integer(key, 0, static_cast<int64_t>(types.size()) - 1));
}

// What has no effect here: a wrong type is a sign of damage all the same.
void check_unused_keys(const GgufFile& file) {
    for (const char* const key : {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.padding_token_id"}) {
        if (file.find(key) != nullptr) file.require_integer(key, -1, std::numeric_limits<uint32_t>::max());
    }
    for (const char* const key : {"tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token"})
        bool_or(file, key, false);
}

// How text is cut into words: llama.cpp knows many ways, by name.
void check_word_splitter(const GgufFile& file, bool unigram) {
    const char* const key = "tokenizer.ggml.pre";
    if (file.find(key) == nullptr) return;
    const std::string& name = file.require_string(key);
    if (unigram || name == "gpt-2") return;
    throw ModelError("MODEL_FILE_UNSUPPORTED",
                     "model file " + file.path() + " is not supported: its tokenizer cuts words by the rules '" +
                         name.substr(0, 60) + "' (key '" + key + "'); 'gpt-2' is implemented");
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
    vocabulary.types = read_types(file, vocabulary.tokens);
    const bool unigram = vocabulary.kind == "t5";
    check_word_splitter(file, unigram);
    check_unused_keys(file);
    if (unigram) {
        vocabulary.scores = read_scores(file, count);
        vocabulary.charsmap = read_charsmap(file);
    } else {
        vocabulary.merges = file.require_strings("tokenizer.ggml.merges");
    }
    vocabulary.add_space_prefix = bool_or(file, "tokenizer.ggml.add_space_prefix", unigram);
    vocabulary.remove_extra_whitespaces = bool_or(file, "tokenizer.ggml.remove_extra_whitespaces", unigram);
    vocabulary.unk_token =
        unigram ? require_unknown(file, vocabulary.types) : id_or_none(file, "tokenizer.ggml.unknown_token_id", count);
    vocabulary.eos_token = id_or_none(file, "tokenizer.ggml.eos_token_id", count);
    return vocabulary;
}

}  // namespace instructblip
