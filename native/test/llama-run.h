// What an accepted language model file must then bear: loading, tokenizing, a prefill and a decode in libllama.
#pragma once

#include <llama-cpp.h>

#include <string>
#include <vector>

#include "engine.h"

namespace llama_run {

inline std::vector<llama_token> tokenize(const llama_vocab* vocab, const std::string& text, bool add, bool special) {
    std::vector<llama_token> ids(text.size() + 4);
    const auto length = static_cast<int32_t>(text.size());
    const int32_t count =
        llama_tokenize(vocab, text.data(), length, ids.data(), static_cast<int32_t>(ids.size()), add, special);
    ids.resize(count < 0 ? 0 : static_cast<size_t>(count));
    return ids;
}

// Text of every kind, all bytes, every token's piece.
inline std::string tokenize_all(const llama_vocab* vocab) {
    std::string text = "the hat <s> [image] </s> ☃ é 漢";
    for (int byte = 0; byte < 256; ++byte) text += static_cast<char>(byte);
    for (const bool special : {false, true}) {
        const std::vector<llama_token> ids = tokenize(vocab, text, special, special);
        if (ids.empty()) return "no tokens";
        std::string back(1 << 16, '\0');
        llama_detokenize(vocab, ids.data(), static_cast<int32_t>(ids.size()), back.data(),
                         static_cast<int32_t>(back.size()), special, special);
    }
    std::vector<char> piece(256);
    for (llama_token id = 0; id < llama_vocab_n_tokens(vocab); ++id) {
        llama_token_to_piece(vocab, id, piece.data(), static_cast<int32_t>(piece.size()), 0, true);
        llama_vocab_is_eog(vocab, id);
    }
    return "";
}

// Two rows of embeddings, then two tokens.
inline std::string decode(const llama_model* model, llama_context* context) {
    std::vector<float> rows(2 * static_cast<size_t>(llama_model_n_embd_inp(model)), 0.5F);
    llama_batch batch = llama_batch_init(2, llama_model_n_embd_inp(model), 1);
    batch.n_tokens = 2;
    for (int32_t i = 0; i < 2; ++i) {
        batch.pos[i] = i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = static_cast<int8_t>(i);
    }
    std::copy(rows.begin(), rows.end(), batch.embd);
    const int32_t prefilled = llama_decode(context, batch);
    llama_batch_free(batch);
    if (prefilled != 0) return "embeddings were not computed";
    std::vector<llama_token> ids = {0, llama_vocab_n_tokens(llama_model_get_vocab(model)) - 1};
    if (llama_decode(context, llama_batch_get_one(ids.data(), 2)) != 0) return "tokens were not computed";
    return llama_get_logits_ith(context, -1) == nullptr ? "no logits" : "";
}

// Returns what went wrong, or nothing.
inline std::string run(const std::string& path, bool mapped) {
    const instructblip::LogCapture log;
    ggml_backend_dev_t devices[] = {nullptr};
    llama_model_params model_params = llama_model_default_params();
    model_params.devices = devices;
    model_params.n_gpu_layers = 0;
    model_params.load_mode = mapped ? LLAMA_LOAD_MODE_MMAP : LLAMA_LOAD_MODE_NONE;
    const llama_model_ptr model(llama_model_load_from_file(path.c_str(), model_params));
    if (!model) return "libllama did not load it" + log.as_reason();
    std::string tokenized = tokenize_all(llama_model_get_vocab(model.get()));
    if (!tokenized.empty()) return tokenized;
    llama_context_params context_params = llama_context_default_params();
    context_params.n_ctx = 64;
    context_params.n_batch = context_params.n_ubatch = 16;
    context_params.n_threads = context_params.n_threads_batch = 1;
    context_params.flash_attn_type = mapped ? LLAMA_FLASH_ATTN_TYPE_DISABLED : LLAMA_FLASH_ATTN_TYPE_ENABLED;
    const llama_context_ptr context(llama_init_from_model(model.get(), context_params));
    if (!context) return "libllama made no context" + log.as_reason();
    const std::string decoded = decode(model.get(), context.get());
    return decoded.empty() ? "" : decoded + log.as_reason();
}

}  // namespace llama_run
