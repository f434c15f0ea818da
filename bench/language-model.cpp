// The language model alone, through the native core: the parts of a prefill, and decoding of several rows (beams,
// samples) a step. bench/lib/measure.mjs builds and runs it. Prints one JSON object, times in milliseconds.
//
//   language-model <model.gguf> <folder of the engine's libraries> <threads> <prompt tokens> <steps> <repeats>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "engine.h"
#include "language-model-file.h"

using namespace instructblip;

namespace {

using Clock = std::chrono::steady_clock;

constexpr int soft_tokens = 32;
constexpr int row_counts[] = {1, 5, 8};
constexpr int most_rows = 8;

double milliseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

struct Arguments {
    std::string model, libraries;
    int threads, tokens, steps, repeats;
};

// What the core's debug lines say: milliseconds by graph, summed up.
class GraphTimes {
  public:
    GraphTimes() : listener_(add_log_listener([this](int, const std::string& line) { read(line); })) {}
    ~GraphTimes() { remove_log_listener(listener_); }
    GraphTimes(const GraphTimes&) = delete;
    GraphTimes& operator=(const GraphTimes&) = delete;

    double of(const std::string& stage) { return times_[stage]; }

  private:
    void read(const std::string& line) {
        char stage[32];
        double time = 0;
        if (std::sscanf(line.c_str(), "graph %31[^:]: %lf ms", stage, &time) == 2) times_[stage] += time;
    }
    std::map<std::string, double> times_;
    int listener_;
};

struct Times {
    std::vector<double> encode;  // of an encoder-decoder; else 0
    std::vector<double> prefill;
    std::map<int, std::vector<double>> decode;  // by rows: a step
};

Prompt prompt_of(const LanguageModelFile& file, int tokens) {
    Prompt prompt;
    prompt.soft_tokens.assign(static_cast<size_t>(file.embedding_length) * soft_tokens, 0.1F);
    for (int i = soft_tokens; i < tokens; ++i) prompt.tokens.push_back(100 + (i * 37) % 20000);
    prompt.answer_start = {0};
    return prompt;
}

void measure(LanguageModel& model, const Prompt& prompt, const Arguments& arguments, int rows, Times& times) {
    const CancelToken cancel;
    std::vector<float> logits;
    const auto session = model.create_session(arguments.tokens + 1 + rows * (arguments.steps + 1), rows);
    GraphTimes graphs;
    Clock::time_point start = Clock::now();
    session->prefill(prompt, cancel, logits);
    if (rows == 1) {
        times.prefill.push_back(milliseconds_since(start));
        times.encode.push_back(graphs.of("encoder"));
    }
    std::vector<int32_t> tokens(static_cast<size_t>(rows), 7);
    session->decode(tokens, std::vector<int32_t>(tokens.size(), 0), cancel, logits);
    start = Clock::now();
    for (int step = 0; step < arguments.steps; ++step) session->decode(tokens, {}, cancel, logits);
    times.decode[rows].push_back(milliseconds_since(start) / arguments.steps);
}

std::string list(const std::vector<double>& values) {
    std::string text;
    for (const double value : values) text += (text.empty() ? "" : ",") + std::to_string(value);
    return "[" + text + "]";
}

void run(const Arguments& arguments) {
    initialize_engine(arguments.libraries, {});
    Compute compute("cpu", arguments.threads);
    const LanguageModelFile file = LanguageModelFile::read(GgufFile::open(arguments.model));
    LanguageModelOptions options;
    options.max_sequences = most_rows;
    options.context_size = arguments.tokens + 1 + most_rows * (arguments.steps + 1);
    const auto model = file.load(compute, options, {});
    const Prompt prompt = prompt_of(file, arguments.tokens);
    Times times;
    measure(*model, prompt, arguments, 1, times);  // warms up
    times = {};
    for (int i = 0; i < arguments.repeats; ++i) {
        for (const int rows : row_counts) measure(*model, prompt, arguments, rows, times);
    }
    std::string decode;
    for (const auto& [rows, steps] : times.decode) {
        decode += (decode.empty() ? "\"" : ",\"") + std::to_string(rows) + "\":" + list(steps);
    }
    std::printf("{\"encode\":%s,\"prefill\":%s,\"decode\":{%s}}\n", list(times.encode).c_str(),
                list(times.prefill).c_str(), decode.c_str());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 7) {
        std::fprintf(stderr, "language-model: six arguments: see the head of language-model.cpp\n");
        return 2;
    }
    try {
        run({argv[1], argv[2], std::atoi(argv[3]), std::atoi(argv[4]), std::atoi(argv[5]), std::atoi(argv[6])});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "language-model: %s\n", error.what());
        return 1;
    }
    return 0;
}
