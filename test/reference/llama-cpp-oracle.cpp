// What llama.cpp itself does, to compare conversion with. Not part of the tests: it made
// test/fixtures/quantize-mixtures.json, and is the tool for checking whole files by hand. Build (from the repository's
// root, after `npm run setup`):
//   E=.engine/llama.cpp-3.22.1 L=$PWD/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64
//   g++ -std=c++17 -O2 -I$E/include -I$E/src -I$E/ggml/include test/reference/llama-cpp-oracle.cpp -o /tmp/oracle \
//     $L/libllama.*.so $L/libggml.*.so $L/libggml-base.so -Wl,-rpath,$L
// Types that llama.cpp's mixtures give tensors of several model shapes:
//
//   oracle types > test/fixtures/quantize-mixtures.json
//
// llama_model_quantize:
//
//   oracle quantize in.gguf out.gguf Q4_K_M
//
// Last logits after tokens 1 2 3, CPU, one value a line; of an encoder-decoder, the logits of every token after the
// dash:
//
//   oracle logits model.gguf <backend folder> 1 2 3
//
//   oracle decode model.gguf <backend folder> 1 2 3 - 0 4 5
//
// Tokens of a text:
//
//   oracle tokenize model.gguf <backend folder> <text>

#include <ggml-backend.h>
#include <ggml.h>
#include <llama-ext.h>
#include <llama.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace {

const std::vector<std::pair<std::string, llama_ftype>> file_types = {
    {"Q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},     {"Q4_0", LLAMA_FTYPE_MOSTLY_Q4_0}, {"Q5_K_M", LLAMA_FTYPE_MOSTLY_Q5_K_M},
    {"Q4_K_M", LLAMA_FTYPE_MOSTLY_Q4_K_M}, {"Q6_K", LLAMA_FTYPE_MOSTLY_Q6_K}, {"F16", LLAMA_FTYPE_MOSTLY_F16},
    {"BF16", LLAMA_FTYPE_MOSTLY_BF16},     {"F32", LLAMA_FTYPE_ALL_F32},
};

struct Shape {
    const char* architecture;
    uint32_t layers, decoder_layers, embedding, feed_forward, heads, kv_heads, head_size, vocabulary;
    bool tied, gated;
};

// Small, medium, GQA, llama.cpp's "70B" and "65B", rows that are whole blocks of 32 or of nothing, tied embeddings. T5:
// decoders deeper and flatter than the encoder, heads that do not fill the embedding, Flan-T5-XL. OPT, which llama.cpp
// has not: as GPT-2, with OPT's tensors.
const std::vector<Shape> shapes = {
    {"llama", 1, 0, 256, 512, 4, 4, 64, 300, false, true},
    {"llama", 3, 0, 256, 768, 8, 8, 32, 300, false, true},
    {"llama", 8, 0, 512, 1280, 8, 2, 64, 300, false, true},
    {"llama", 32, 0, 4096, 11008, 32, 32, 128, 32001, false, true},
    {"llama", 40, 0, 5120, 13824, 40, 40, 128, 32064, false, true},
    {"llama", 80, 0, 1024, 2560, 16, 2, 64, 300, false, true},
    {"llama", 80, 0, 1024, 2560, 16, 16, 64, 300, false, true},
    {"llama", 10, 0, 288, 800, 8, 4, 36, 300, false, true},
    {"llama", 4, 0, 40, 76, 4, 2, 10, 300, false, true},
    {"llama", 9, 0, 256, 800, 4, 4, 64, 300, false, true},
    {"llama", 12, 0, 768, 2048, 12, 4, 64, 300, true, true},
    {"llama", 5, 0, 96, 224, 4, 4, 24, 300, true, true},
    {"llama", 4, 0, 40, 76, 4, 4, 10, 300, true, true},
    {"t5", 1, 1, 256, 512, 4, 4, 64, 300, false, true},
    {"t5", 3, 5, 256, 768, 4, 4, 64, 300, true, false},
    {"t5", 12, 4, 512, 1024, 6, 6, 64, 300, false, true},
    {"t5", 5, 13, 256, 512, 3, 3, 32, 300, false, false},
    {"t5", 24, 24, 2048, 5120, 32, 32, 64, 32128, false, true},
    {"t5", 9, 8, 96, 224, 4, 4, 24, 300, true, true},
    {"t5", 8, 11, 40, 76, 5, 5, 7, 300, false, true},
    {"opt", 2, 0, 256, 512, 4, 4, 64, 300, true, false},
    {"opt", 12, 0, 768, 3072, 12, 12, 64, 300, true, false},
    {"opt", 17, 0, 288, 800, 8, 8, 36, 300, false, false},
};

struct Tensor {
    std::string name;
    int64_t columns, rows;
};

/// Matrices of one block: q, k, v, the attention's output, and the feed-forward.
void add_block(std::vector<Tensor>& list, const Shape& s, const std::string& block, bool cross) {
    const int64_t n = s.embedding, q = static_cast<int64_t>(s.head_size) * s.heads;
    const int64_t kv = static_cast<int64_t>(s.head_size) * s.kv_heads;
    const bool t5 = std::string(s.architecture) == "t5";
    for (const char* attention : {"attn", "cross_attn"}) {
        if (attention[0] == 'c' && !cross) continue;
        const std::string prefix = block + attention + "_";
        list.push_back({prefix + "q.weight", n, q});
        list.push_back({prefix + "k.weight", n, kv});
        list.push_back({prefix + "v.weight", n, kv});
        list.push_back({prefix + (t5 ? "o.weight" : "output.weight"), q, n});
    }
    if (s.gated) list.push_back({block + "ffn_gate.weight", n, s.feed_forward});
    list.push_back({block + "ffn_up.weight", n, s.feed_forward});
    list.push_back({block + "ffn_down.weight", s.feed_forward, n});
}

std::vector<Tensor> tensors_of(const Shape& s) {
    const bool t5 = std::string(s.architecture) == "t5";
    std::vector<Tensor> result = {{"token_embd.weight", s.embedding, s.vocabulary}};
    for (uint32_t i = 0; i < s.layers; ++i) {
        add_block(result, s, (t5 ? "enc.blk." : "blk.") + std::to_string(i) + ".", false);
    }
    for (uint32_t i = 0; i < s.decoder_layers; ++i) add_block(result, s, "dec.blk." + std::to_string(i) + ".", true);
    if (!s.tied) result.push_back({"output.weight", s.embedding, s.vocabulary});
    return result;
}

/// The order in which `llama_model_quantize` goes through a file: llama_model_loader's weight_name_comparer.
bool is_before(const std::string& a, const std::string& b) {
    int a_layer = -1, b_layer = -1;
    std::sscanf(a.c_str(), "blk.%d.", &a_layer);
    std::sscanf(b.c_str(), "blk.%d.", &b_layer);
    return a_layer != b_layer ? a_layer < b_layer : a < b;
}

/// Types in the order of `list`.
std::vector<ggml_type> types_of(const Shape& s, const std::vector<Tensor>& list, llama_ftype file_type) {
    const bool opt = std::string(s.architecture) == "opt";
    const llama_quant_model_desc description = {opt ? "gpt2" : s.architecture,
                                                s.embedding,
                                                s.feed_forward,
                                                s.layers,
                                                s.heads,
                                                s.kv_heads,
                                                0,
                                                s.head_size,
                                                s.head_size};
    llama_model* model = llama_quant_model_from_metadata(&description);
    const llama_model_quantize_params params = llama_model_quantize_default_params();
    quantize_state_impl* state = llama_quant_init(model, &params);
    const ggml_init_params init = {ggml_tensor_overhead() * (list.size() + 1), nullptr, true};
    ggml_context* context = ggml_init(init);
    std::vector<size_t> order(list.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return is_before(list[a].name, list[b].name); });
    std::vector<ggml_tensor*> tensors;
    for (const size_t i : order) {
        tensors.push_back(ggml_new_tensor_2d(context, GGML_TYPE_F32, list[i].columns, list[i].rows));
        ggml_set_name(tensors.back(), list[i].name.c_str());
    }
    std::vector<ggml_type> ordered(list.size()), types(list.size());
    llama_quant_compute_types(state, file_type, tensors.data(), ordered.data(), ordered.size());
    for (size_t i = 0; i < order.size(); ++i) types[order[i]] = ordered[i];
    ggml_free(context);
    llama_quant_free(state);
    llama_model_free(model);
    return types;
}

void print_shape(const Shape& s) {
    std::printf(
        "{\"architecture\":\"%s\",\"layers\":%u,\"decoderLayers\":%u,\"embedding\":%u,\"feedForward\":%u,\"heads\":%u,"
        "\"kvHeads\":%u,\"headSize\":%u,\"vocabulary\":%u,\"tied\":%s,\"gated\":%s,\"types\":{\n",
        s.architecture, s.layers, s.decoder_layers, s.embedding, s.feed_forward, s.heads, s.kv_heads, s.head_size,
        s.vocabulary, s.tied ? "true" : "false", s.gated ? "true" : "false");
}

void print_types() {
    std::printf("[\n");
    for (size_t s = 0; s < shapes.size(); ++s) {
        print_shape(shapes[s]);
        const std::vector<Tensor> list = tensors_of(shapes[s]);
        for (size_t f = 0; f < file_types.size(); ++f) {
            const std::vector<ggml_type> types = types_of(shapes[s], list, file_types[f].second);
            std::printf("\"%s\":\"", file_types[f].first.c_str());
            for (size_t i = 0; i < types.size(); ++i) std::printf("%s%s", i ? " " : "", ggml_type_name(types[i]));
            std::printf("\"%s\n", f + 1 < file_types.size() ? "," : "");
        }
        std::printf("}}%s\n", s + 1 < shapes.size() ? "," : "");
    }
    std::printf("]\n");
}

int quantize(const char* input, const char* output, const std::string& type) {
    llama_model_quantize_params params = llama_model_quantize_default_params();
    for (const auto& [name, file_type] : file_types) {
        if (name == type) params.ftype = file_type;
    }
    params.nthread = 2;
    return static_cast<int>(llama_model_quantize(input, output, &params));
}

llama_model* load(const char* path, const char* backends, bool vocabulary_only) {
    ggml_backend_load_all_from_path(backends);
    llama_model_params params = llama_model_default_params();
    params.vocab_only = vocabulary_only;
    llama_model* model = llama_model_load_from_file(path, params);
    if (!model) std::exit(1);
    return model;
}

void print_logits(llama_model* model, std::vector<llama_token> tokens) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 256;
    params.n_threads = params.n_threads_batch = 2;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    llama_context* context = llama_init_from_model(model, params);
    if (llama_decode(context, llama_batch_get_one(tokens.data(), static_cast<int32_t>(tokens.size()))) != 0)
        std::exit(1);
    const float* logits = llama_get_logits_ith(context, -1);
    const int32_t size = llama_vocab_n_tokens(llama_model_get_vocab(model));
    for (int32_t i = 0; i < size; ++i) std::printf("%.9g\n", logits[i]);
    llama_free(context);
}

/// An encoder-decoder: all logits of the decoder's tokens after the encoder's.
void print_decoder_logits(llama_model* model, std::vector<llama_token> source, std::vector<llama_token> target) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = 256;
    params.n_threads = params.n_threads_batch = 2;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    llama_context* context = llama_init_from_model(model, params);
    if (llama_encode(context, llama_batch_get_one(source.data(), static_cast<int32_t>(source.size()))) != 0)
        std::exit(1);
    const int32_t size = llama_vocab_n_tokens(llama_model_get_vocab(model));
    for (llama_token token : target) {
        if (llama_decode(context, llama_batch_get_one(&token, 1)) != 0) std::exit(1);
        const float* logits = llama_get_logits_ith(context, -1);
        for (int32_t i = 0; i < size; ++i) std::printf("%.9g\n", logits[i]);
    }
    llama_free(context);
}

void print_tokens(const llama_model* model, const std::string& text) {
    std::vector<llama_token> tokens(text.size() + 8);
    const int32_t count = llama_tokenize(llama_model_get_vocab(model), text.data(), static_cast<int32_t>(text.size()),
                                         tokens.data(), static_cast<int32_t>(tokens.size()), true, true);
    for (int32_t i = 0; i < count; ++i) std::printf("%d ", tokens[i]);
    std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
    llama_log_set(
        [](ggml_log_level level, const char* text, void*) {
            if (level >= GGML_LOG_LEVEL_WARN) std::fputs(text, stderr);
        },
        nullptr);
    const std::string mode = argc > 1 ? argv[1] : "";
    if (mode == "types") {
        print_types();
    } else if (mode == "quantize" && argc == 5) {
        return quantize(argv[2], argv[3], argv[4]);
    } else if (mode == "decode" && argc > 5) {
        llama_model* model = load(argv[2], argv[3], false);
        std::vector<llama_token> source, target;
        bool decoder = false;
        for (int i = 4; i < argc; ++i) {
            if (argv[i][0] == '-') {
                decoder = true;
            } else {
                (decoder ? target : source).push_back(std::atoi(argv[i]));
            }
        }
        print_decoder_logits(model, source, target);
        llama_model_free(model);
    } else if ((mode == "logits" || mode == "tokenize") && argc > 4) {
        llama_model* model = load(argv[2], argv[3], mode == "tokenize");
        std::vector<llama_token> tokens;
        for (int i = 4; i < argc && mode == "logits"; ++i) tokens.push_back(std::atoi(argv[i]));
        if (mode == "logits")
            print_logits(model, tokens);
        else
            print_tokens(model, argv[4]);
        llama_model_free(model);
    } else {
        std::fprintf(stderr, "usage: see the head of llama-cpp-oracle.cpp\n");
        return 2;
    }
    return 0;
}
