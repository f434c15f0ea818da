// What llama.cpp itself does, to compare conversion with. Not part of the tests: it made
// test/fixtures/quantize-mixtures.json, and is the tool for checking whole files by hand. Build (from the repository's
// root, after `npm run setup`):
//   E=.engine/llama.cpp-3.22.1 L=$PWD/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64
//   g++ -std=c++17 -O2 -I$E/include -I$E/src -I$E/ggml/include test/reference/llama-cpp-oracle.cpp -o /tmp/oracle \
//     $L/libllama.*.so $L/libggml.*.so $L/libggml-base.so -Wl,-rpath,$L
// Use:
//   oracle types > test/fixtures/quantize-mixtures.json     types that llama.cpp's mixtures give tensors of several
//   model shapes oracle quantize in.gguf out.gguf Q4_K_M                 llama_model_quantize oracle logits model.gguf
//   <backend folder> 1 2 3         last logits after tokens 1 2 3, CPU, one value a line oracle tokenize model.gguf
//   <backend folder> <text>
#include <ggml-backend.h>
#include <ggml.h>
#include <llama-ext.h>
#include <llama.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
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
    uint32_t layers, embedding, feed_forward, heads, kv_heads, vocabulary;
    bool tied;
};

// Small, medium, GQA, llama.cpp's "70B" and "65B", rows that are whole blocks of 32 or of nothing, tied embeddings.
const std::vector<Shape> shapes = {
    {1, 256, 512, 4, 4, 300, false},
    {3, 256, 768, 8, 8, 300, false},
    {8, 512, 1280, 8, 2, 300, false},
    {32, 4096, 11008, 32, 32, 32001, false},
    {40, 5120, 13824, 40, 40, 32064, false},
    {80, 1024, 2560, 16, 2, 300, false},
    {80, 1024, 2560, 16, 16, 300, false},
    {10, 288, 800, 8, 4, 300, false},
    {4, 40, 76, 4, 2, 300, false},
    {9, 256, 800, 4, 4, 300, false},
    {12, 768, 2048, 12, 4, 300, true},
    {5, 96, 224, 4, 4, 300, true},
    {4, 40, 76, 4, 4, 300, true},
};

struct Tensor {
    std::string name;
    int64_t columns, rows;
};

std::vector<Tensor> tensors_of(const Shape& s) {
    const int64_t n = s.embedding, kv = static_cast<int64_t>(s.embedding / s.heads) * s.kv_heads;
    std::vector<Tensor> result = {{"token_embd.weight", n, s.vocabulary}};
    for (uint32_t i = 0; i < s.layers; ++i) {
        const std::string block = "blk." + std::to_string(i) + ".";
        result.push_back({block + "attn_q.weight", n, n});
        result.push_back({block + "attn_k.weight", n, kv});
        result.push_back({block + "attn_v.weight", n, kv});
        result.push_back({block + "attn_output.weight", n, n});
        result.push_back({block + "ffn_gate.weight", n, s.feed_forward});
        result.push_back({block + "ffn_up.weight", n, s.feed_forward});
        result.push_back({block + "ffn_down.weight", s.feed_forward, n});
    }
    if (!s.tied) result.push_back({"output.weight", n, s.vocabulary});
    return result;
}

std::vector<ggml_type> types_of(const Shape& s, const std::vector<Tensor>& list, llama_ftype file_type) {
    const llama_quant_model_desc description = {
        "llama", s.embedding,           s.feed_forward,       s.layers, s.heads, s.kv_heads,
        0,       s.embedding / s.heads, s.embedding / s.heads};
    llama_model* model = llama_quant_model_from_metadata(&description);
    const llama_model_quantize_params params = llama_model_quantize_default_params();
    quantize_state_impl* state = llama_quant_init(model, &params);
    const ggml_init_params init = {ggml_tensor_overhead() * (list.size() + 1), nullptr, true};
    ggml_context* context = ggml_init(init);
    std::vector<ggml_tensor*> tensors;
    for (const Tensor& tensor : list) {
        tensors.push_back(ggml_new_tensor_2d(context, GGML_TYPE_F32, tensor.columns, tensor.rows));
        ggml_set_name(tensors.back(), tensor.name.c_str());
    }
    std::vector<ggml_type> types(list.size());
    llama_quant_compute_types(state, file_type, tensors.data(), types.data(), types.size());
    ggml_free(context);
    llama_quant_free(state);
    llama_model_free(model);
    return types;
}

void print_types() {
    std::printf("[\n");
    for (size_t s = 0; s < shapes.size(); ++s) {
        const Shape& shape = shapes[s];
        std::printf(
            "{\"layers\":%u,\"embedding\":%u,\"feedForward\":%u,\"heads\":%u,\"kvHeads\":%u,\"vocabulary\":%u,\"tied\":"
            "%s,\"types\":{\n",
            shape.layers, shape.embedding, shape.feed_forward, shape.heads, shape.kv_heads, shape.vocabulary,
            shape.tied ? "true" : "false");
        const std::vector<Tensor> list = tensors_of(shape);
        for (size_t f = 0; f < file_types.size(); ++f) {
            const std::vector<ggml_type> types = types_of(shape, list, file_types[f].second);
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
