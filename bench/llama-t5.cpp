// What a C or C++ user of llama.cpp gets from the same file: libllama's own T5, through its public interface, with its
// default settings. bench/lib/llama-t5.mjs builds and runs it. Prints one JSON object, times in milliseconds.
//
//   llama-t5 <model.gguf> <folder of the engine's libraries> <threads> <encoder tokens> <steps> <repeats>
#include <ggml-backend.h>
#include <llama.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Deleter {
    void operator()(llama_model* model) const { llama_model_free(model); }
    void operator()(llama_context* context) const { llama_free(context); }
};
using Model = std::unique_ptr<llama_model, Deleter>;
using Context = std::unique_ptr<llama_context, Deleter>;

[[noreturn]] void fail(const std::string& message) {
    std::fprintf(stderr, "llama-t5: %s\n", message.c_str());
    std::exit(1);
}

double milliseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// Ordinary tokens, neither special nor unused.
std::vector<llama_token> some_tokens(int count) {
    std::vector<llama_token> tokens;
    for (int i = 0; i < count; ++i) tokens.push_back(100 + (i * 37) % 20000);
    return tokens;
}

// llama_encode asserts that the whole prompt fits into one ubatch.
Context create_context(llama_model* model, int threads, int tokens) {
    llama_context_params params = llama_context_default_params();
    params.n_batch = params.n_ubatch = params.n_ctx = static_cast<uint32_t>(tokens < 512 ? 512 : tokens);
    params.n_threads = params.n_threads_batch = threads;
    Context context(llama_init_from_model(model, params));
    if (!context) fail("no context");
    return context;
}

void decode(llama_context* context, llama_token token) {
    if (llama_decode(context, llama_batch_get_one(&token, 1)) != 0) fail("llama_decode failed");
    if (llama_get_logits_ith(context, -1) == nullptr) fail("no logits");
}

struct Times {
    double encode;
    double first_token;  // the encoder and the decoder's first step
    double step;         // mean of those after the first
};

Times measure(llama_context* context, std::vector<llama_token> prompt, int steps) {
    llama_memory_clear(llama_get_memory(context), true);
    const Clock::time_point start = Clock::now();
    if (llama_encode(context, llama_batch_get_one(prompt.data(), static_cast<int32_t>(prompt.size()))) != 0) {
        fail("llama_encode failed");
    }
    llama_synchronize(context);
    Times times{milliseconds_since(start), 0, 0};
    decode(context, 0);  // decoder_start_token_id
    times.first_token = milliseconds_since(start);
    const Clock::time_point second = Clock::now();
    for (int step = 0; step < steps; ++step) decode(context, 100 + step);
    times.step = milliseconds_since(second) / steps;
    return times;
}

template <class Value>
void print_list(const char* name, const std::vector<Times>& list, Value value, const char* end) {
    std::printf("\"%s\":[", name);
    for (size_t i = 0; i < list.size(); ++i) std::printf("%s%.3f", i == 0 ? "" : ",", value(list[i]));
    std::printf("]%s", end);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 7) fail("six arguments: see the head of llama-t5.cpp");
    const int threads = std::atoi(argv[3]);
    const int tokens = std::atoi(argv[4]);
    const int steps = std::atoi(argv[5]);
    const int repeats = std::atoi(argv[6]);
    llama_log_set(
        [](ggml_log_level level, const char* text, void*) {
            if (level >= GGML_LOG_LEVEL_ERROR && level != GGML_LOG_LEVEL_CONT) std::fputs(text, stderr);
        },
        nullptr);
    ggml_backend_load_all_from_path(argv[2]);
    const Model model(llama_model_load_from_file(argv[1], llama_model_default_params()));
    if (!model) fail("the model cannot be loaded");
    const Context context = create_context(model.get(), threads, tokens);
    measure(context.get(), some_tokens(tokens), 2);  // warms up
    std::vector<Times> list;
    for (int i = 0; i < repeats; ++i) list.push_back(measure(context.get(), some_tokens(tokens), steps));
    std::printf("{\"threads\":%d,\"tokens\":%d,", llama_n_threads(context.get()), tokens);
    print_list("encode", list, [](const Times& times) { return times.encode; }, ",");
    print_list("firstToken", list, [](const Times& times) { return times.first_token; }, ",");
    print_list("decode", list, [](const Times& times) { return times.step; }, "}\n");
    return 0;
}
