// What a C or C++ user of llama.cpp gets from the same file: libllama's own model, through its public interface, with
// its default settings. bench/lib/measure.mjs builds and runs it. Prints one JSON object, times in milliseconds.
//
//   libllama <model.gguf> <folder of the engine's libraries> <threads> <prompt tokens> <steps> <repeats>
#include <ggml-backend.h>
#include <llama.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
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
    std::fprintf(stderr, "libllama: %s\n", message.c_str());
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

constexpr int row_counts[] = {1, 5, 8};
constexpr int most_rows = 8;

// llama_encode asserts that the whole prompt fits into one ubatch. One cache for all rows, as beams share it.
Context create_context(llama_model* model, int threads, int tokens, int steps) {
    llama_context_params params = llama_context_default_params();
    params.n_batch = params.n_ubatch = static_cast<uint32_t>(tokens < 512 ? 512 : tokens);
    params.n_ctx = static_cast<uint32_t>(tokens + most_rows * (steps + 2));
    params.n_seq_max = most_rows;
    params.kv_unified = true;
    params.n_threads = params.n_threads_batch = threads;
    Context context(llama_init_from_model(model, params));
    if (!context) fail("no context");
    return context;
}

// Tokens of one sequence, or the next of each of several.
class Batch {
  public:
    explicit Batch(int size) : batch_(llama_batch_init(size, 0, 1)) {}
    ~Batch() { llama_batch_free(batch_); }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

    void add(llama_token token, int position, int sequence, bool wants_logits) {
        const int i = batch_.n_tokens++;
        batch_.token[i] = token;
        batch_.pos[i] = position;
        batch_.n_seq_id[i] = 1;
        batch_.seq_id[i][0] = sequence;
        batch_.logits[i] = wants_logits ? 1 : 0;
    }
    void clear() { batch_.n_tokens = 0; }

    void encode(llama_context* context) {
        if (llama_encode(context, batch_) != 0) fail("llama_encode failed");
        llama_synchronize(context);
    }
    void decode(llama_context* context) {
        if (llama_decode(context, batch_) != 0) fail("llama_decode failed");
        if (llama_get_logits_ith(context, -1) == nullptr) fail("no logits");
    }

  private:
    llama_batch batch_;
};

struct Times {
    double encode;       // of an encoder-decoder; else 0
    double first_token;  // until the first scores are there
    double step;         // mean of those after the first
};

// Returns the position after the prompt's.
int prefill(llama_context* context, const std::vector<llama_token>& prompt, Times& times) {
    const auto count = static_cast<int>(prompt.size());
    const bool has_encoder = llama_model_has_encoder(llama_get_model(context));
    llama_memory_clear(llama_get_memory(context), true);
    Batch batch(count);
    for (int i = 0; i < count; ++i) batch.add(prompt[static_cast<size_t>(i)], i, 0, has_encoder || i + 1 == count);
    const Clock::time_point start = Clock::now();
    if (has_encoder) {
        batch.encode(context);
        times.encode = milliseconds_since(start);
        batch.clear();
        batch.add(0, 0, 0, true);  // decoder_start_token_id
    }
    batch.decode(context);
    times.first_token = milliseconds_since(start);
    return has_encoder ? 1 : count;
}

Times measure(llama_context* context, const std::vector<llama_token>& prompt, int rows, int steps) {
    Times times{};
    int position = prefill(context, prompt, times);
    for (int row = 1; row < rows; ++row) llama_memory_seq_cp(llama_get_memory(context), 0, row, -1, -1);
    Batch batch(rows);
    const auto step = [&] {
        batch.clear();
        for (int row = 0; row < rows; ++row) batch.add(100 + position + row, position, row, true);
        batch.decode(context);
        ++position;
    };
    step();  // the first has another graph
    const Clock::time_point start = Clock::now();
    for (int i = 0; i < steps; ++i) step();
    times.step = milliseconds_since(start) / steps;
    return times;
}

using Values = std::vector<double>;

std::string list(const Values& values) {
    std::string text;
    for (const double value : values) text += (text.empty() ? "" : ",") + std::to_string(value);
    return "[" + text + "]";
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 7) fail("six arguments: see the head of libllama.cpp");
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
    const Context context = create_context(model.get(), threads, tokens, steps);
    const std::vector<llama_token> prompt = some_tokens(tokens);
    measure(context.get(), prompt, 1, 2);  // warms up
    Values encode;
    Values prefill;
    std::map<int, Values> decode;
    for (int i = 0; i < repeats; ++i) {
        for (const int rows : row_counts) {
            const Times times = measure(context.get(), prompt, rows, steps);
            decode[rows].push_back(times.step);
            if (rows > 1) continue;
            encode.push_back(times.encode);
            prefill.push_back(times.first_token);
        }
    }
    std::string steps_by_rows;
    for (const auto& [rows, times] : decode) {
        steps_by_rows += (steps_by_rows.empty() ? "\"" : ",\"") + std::to_string(rows) + "\":" + list(times);
    }
    std::printf("{\"encode\":%s,\"prefill\":%s,\"decode\":{%s}}\n", list(encode).c_str(), list(prefill).c_str(),
                steps_by_rows.c_str());
    return 0;
}
