#include "llama-vocabulary.h"

#include <algorithm>
#include <cstring>

#include "engine.h"
#include "error.h"
#include "llama-check.h"
#include "llama-keys.h"
#include "llama-vocabulary-check.h"

namespace instructblip {

std::vector<int32_t> llama_text_ids(const llama_vocab* vocab, const std::string& text, bool parse_special) {
    constexpr size_t longest = size_t{1} << 28;
    if (text.size() > longest) {
        throw ModelError("OPTION_INVALID", "a text of " + std::to_string(text.size()) + " bytes is too long");
    }
    const auto length = static_cast<int32_t>(text.size());
    std::vector<int32_t> ids(text.size() + 2);
    const int32_t count =
        llama_tokenize(vocab, text.data(), length, ids.data(), static_cast<int32_t>(ids.size()), false, parse_special);
    if (count < 0) throw ModelError("OPTION_INVALID", "the text could not be tokenized");
    ids.resize(static_cast<size_t>(count));
    return ids;
}

std::string llama_token_bytes(const llama_vocab* vocab, int32_t token, bool special) {
    check_tokens({token}, llama_vocab_n_tokens(vocab));
    std::string bytes(32, '\0');
    const auto read = [&] {
        return llama_token_to_piece(vocab, token, bytes.data(), static_cast<int32_t>(bytes.size()), 0, special);
    };
    int32_t length = read();
    if (length < 0) {
        bytes.resize(static_cast<size_t>(-length));
        length = read();
    }
    bytes.resize(static_cast<size_t>(std::max(length, 0)));
    return bytes;
}

int32_t llama_longest_token(const llama_vocab* vocab) {
    int32_t longest = 1;
    for (int32_t token = 0; token < llama_vocab_n_tokens(vocab); ++token) {
        longest = std::max(longest, static_cast<int32_t>(std::strlen(llama_vocab_get_text(vocab, token))));
    }
    return longest;
}

LlamaVocabularyTokenizer::LlamaVocabularyTokenizer(const GgufFile& file) {
    require_engine();
    const LlamaKeys keys(file);
    check_llama_file_keys(keys);
    check_llama_vocabulary(keys);
    ggml_backend_dev_t devices[] = {nullptr};
    llama_model_params params = llama_model_default_params();
    params.devices = devices;
    params.n_gpu_layers = 0;
    params.vocab_only = true;
    const LogCapture log;
    model_.reset(llama_model_load_from_file(file.path().c_str(), params));
    if (!model_) {
        throw ModelError("MODEL_FILE_CORRUPT",
                         "the vocabulary of " + file.path() + " could not be loaded" + log.as_reason());
    }
    longest_token_ = llama_longest_token(vocab());
}

}  // namespace instructblip
