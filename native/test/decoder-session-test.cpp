// Sessions of T5 and OPT: what forks, reorders, drops and takes turns computes what a session of its own computes from
// the beginning, and every way to ask for something wrong.
#include <cstdio>
#include <limits>
#include <thread>

#include "graph-language-model.h"
#include "tiny-opt.h"
#include "tiny-t5.h"

using namespace graph_language_model;

namespace {

constexpr int32_t vocabulary = 23;

// A model, and what its answers begin with.
struct Kind {
    const char* name;
    gguf_writer::File file;
    std::vector<int32_t> start;
    int64_t width;  // of a soft token
};

std::vector<Kind> kinds() {
    tiny_t5::Shape t5{};
    t5.vocabulary = vocabulary;
    tiny_t5::Shape blocks = t5;  // heads that a quantized cache can hold
    blocks.heads = 2;
    blocks.d_kv = 32;
    tiny_opt::Shape opt{};
    opt.vocabulary = vocabulary;
    opt.width = 32;
    opt.heads = 2;
    opt.head_size = 32;
    return {{"T5", tiny_t5::make(t5, 3).file, {0}, t5.d_model},
            {"T5 with heads of 32", tiny_t5::make(blocks, 3).file, {0, 4}, blocks.d_model},
            {"OPT", tiny_opt::make(opt, 3).file, {}, opt.width}};
}

// What one sequence has read.
struct History {
    std::vector<float> soft_tokens;
    std::vector<int32_t> tokens;
    std::vector<int32_t> answer;
};

std::vector<float> recompute(const Loaded& loaded, const History& history) {
    return loaded.logits({history.soft_tokens, history.tokens, history.answer});
}

bool is_right(const Loaded& loaded, const std::vector<float>& logits, size_t row, const History& history,
              double tolerance, const std::string& what) {
    const double error = error_of(logits.data() + row * vocabulary, recompute(loaded, history));
    return CHECK_THAT(error <= tolerance, check::text(what, ", row ", row, " is off by ", error));
}

History prompt_of(const Kind& kind, unsigned seed) {
    std::mt19937 random(seed);
    const size_t soft = random() % 4;
    const size_t tokens = random() % 6 + (soft == 0 ? 1 : 0);
    return {tiny_graph::random_values(soft * static_cast<size_t>(kind.width), seed),
            random_tokens(tokens, seed, vocabulary), kind.start};
}

Prompt as_prompt(const History& history) {
    return {history.soft_tokens, history.tokens, history.answer};
}

// Prompts, forks, reorders, drops and waits at random, all rows against recomputation at every step.
void walk(const Kind& kind, ggml_type cache, double tolerance, unsigned seed, Compute& compute) {
    const Loaded loaded(kind.file, compute, options_of(cache, 900, 16));
    const auto session = loaded.model->create_session(400, 6);
    const std::string what = check::text(kind.name, " ", ggml_type_name(cache), " walk ", seed);
    std::mt19937 random(seed);
    std::vector<History> rows;
    std::vector<float> logits;
    for (int step = 0; step < 24; ++step) {
        if (rows.empty() || (rows.size() < 6 && random() % 5 == 0)) {
            rows.push_back(prompt_of(kind, static_cast<unsigned>(random())));
            session->prefill(as_prompt(rows.back()), never, logits);
            CHECK(logits.size() == vocabulary);
            is_right(loaded, logits, 0, rows.back(), tolerance, what + " prefill");
            continue;
        }
        const size_t count = 1 + random() % 6;
        std::vector<int32_t> parents;
        std::vector<History> next;
        const size_t going = 1 + random() % count;
        const std::vector<int32_t> tokens = random_tokens(going, static_cast<unsigned>(random()), vocabulary);
        for (size_t row = 0; row < count; ++row) {
            parents.push_back(static_cast<int32_t>(random() % rows.size()));
            next.push_back(rows[static_cast<size_t>(parents.back())]);
            if (row < going) next.back().answer.push_back(tokens[row]);
        }
        session->decode(tokens, parents, never, logits);
        rows = next;
        CHECK(logits.size() == going * vocabulary);
        for (size_t row = 0; row < going; ++row) is_right(loaded, logits, row, rows[row], tolerance, what);
        // What these checks tell apart.
        if (tokens.front() == tokens.back()) continue;
        CHECK_THAT(error_of(logits.data(), recompute(loaded, rows[going - 1])) > 1e-2, what + ": rows are alike");
    }
}

// With an exact cache, sequences differ only by the order of sums.
void test_walks(const Kind& kind, Compute& compute) {
    for (unsigned seed = 0; seed < 4; ++seed) walk(kind, GGML_TYPE_F32, 1e-5, seed, compute);
    walk(kind, GGML_TYPE_F16, 1e-4, 9, compute);
}

// Caches of all types say nearly the same.
void test_cache_types(const Kind& kind, Compute& compute) {
    const History history{tiny_graph::random_values(3 * static_cast<size_t>(kind.width), 1), {5, 6, 7, 8}, {0, 9, 10}};
    const auto logits_with = [&](ggml_type type) {
        return recompute(Loaded(kind.file, compute, options_of(type)), history);
    };
    const std::vector<float> exact = logits_with(GGML_TYPE_F32);
    CHECK(error_of(logits_with(GGML_TYPE_F16), exact) < 5e-3);
    if (std::string(kind.name) == "T5") {
        CHECK_ERROR("OPTION_INVALID", "heads of 32 values", logits_with(GGML_TYPE_Q8_0));
        return;
    }
    const double error = error_of(logits_with(GGML_TYPE_Q8_0), exact);
    CHECK_THAT(error > 0 && error < 5e-2, check::text(kind.name, " q8_0 cache: ", error));
}

// Sessions in turns, beside and after ones whose cache is full of NaN and infinity.
void test_turns(const Kind& kind, Compute& compute) {
    const Loaded loaded(kind.file, compute, options_of(GGML_TYPE_F32));
    const History first = prompt_of(kind, 3);
    const History second = prompt_of(kind, 4);
    std::vector<float> logits;
    const auto spoil = [&] {
        auto session = loaded.model->create_session(30, 2);
        for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
            session->prefill({std::vector<float>(3 * static_cast<size_t>(kind.width), bad), {4}, kind.start}, never,
                             logits);
        }
        return session;
    };
    spoil();
    const auto spoiled = spoil();
    const auto one = loaded.model->create_session(30, 1);
    const auto other = loaded.model->create_session(30, 2);
    History one_now = first;
    History other_now = second;
    one->prefill(as_prompt(first), never, logits);
    other->prefill(as_prompt(second), never, logits);
    for (const int32_t token : {5, 6, 7}) {
        one_now.answer.push_back(token);
        one->decode({token}, {}, never, logits);
        is_right(loaded, logits, 0, one_now, 1e-5, std::string(kind.name) + " in turns");
        spoiled->decode({token, token}, {0, 1}, never, logits);
        other_now.answer.push_back(token + 8);
        other->decode({token + 8, 1}, {0, 0}, never, logits);
        is_right(loaded, logits, 0, other_now, 1e-5, std::string(kind.name) + " in turns");
    }
}

// Cells that a dropped row leaves are used again.
void test_reuse(const Kind& kind, Compute& compute) {
    const Loaded loaded(kind.file, compute, options_of(GGML_TYPE_F32));
    const History prompt{{}, {5, 6}, kind.start};
    const auto rows = static_cast<int32_t>(prompt.tokens.size() + prompt.answer.size());
    const auto session = loaded.model->create_session(rows + 4, 4);
    std::vector<float> logits;
    session->prefill(as_prompt(prompt), never, logits);
    session->decode({1, 2, 3, 4}, {0, 0, 0, 0}, never, logits);  // full
    const std::string code = check::error_code([&] { session->decode({1}, {0}, never, logits); });
    CHECK_THAT(code == "nothing", code);  // three rows went
    session->decode({7, 8}, {0, 0}, never, logits);
    History last = prompt;
    last.answer.insert(last.answer.end(), {1, 1, 8});
    is_right(loaded, logits, 1, last, 1e-5, std::string(kind.name) + " in cells of dropped rows");
}

// Nothing has happened when a step does not fit: the session goes on.
void test_room(const Kind& kind, Compute& compute) {
    const Loaded loaded(kind.file, compute, options_of(GGML_TYPE_F32, 50, 4));
    CHECK(loaded.model->context_size() == 50);
    std::vector<float> logits;
    const auto start = static_cast<int32_t>(kind.start.size());
    auto session = loaded.model->create_session(10 + start, 3);
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", "and 1 are free", loaded.model->create_session(1, 2));
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", "51 cells", loaded.model->create_session(51, 1));
    CHECK_ERROR("OPTION_INVALID", "at least one", loaded.model->create_session(0, 1));
    CHECK_ERROR("OPTION_INVALID", "at least one", loaded.model->create_session(1, 0));
    const std::string numbers =
        check::text("has ", 10 + start, " of ", 10 + start, " cells left, the step needs ", 11 + start);
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", numbers,
                session->prefill({{}, std::vector<int32_t>(11, 5), kind.start}, never, logits));
    session->prefill({{}, std::vector<int32_t>(8, 5), kind.start}, never, logits);
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED",
                check::text("has 2 of ", 10 + start, " cells left, the step needs ", 3 + start),
                session->prefill({{}, {5, 5, 5}, kind.start}, never, logits));
    session->decode({3, 4}, {0, 0}, never, logits);
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", check::text("has 0 of ", 10 + start),
                session->decode({3, 4}, {}, never, logits));
    History history{{}, std::vector<int32_t>(8, 5), kind.start};
    history.answer.insert(history.answer.end(), {4, 6});
    session->decode({6}, {1}, never, logits);  // one row went, and with it its cell
    is_right(loaded, logits, 0, history, 1e-5, std::string(kind.name) + " after steps that did not fit");
    session.reset();
    CHECK(loaded.model->create_session(50, 4) != nullptr);
}

void test_wrong_steps(const Kind& kind, Compute& compute) {
    const Loaded loaded(kind.file, compute, options_of(GGML_TYPE_F32));
    const auto session = loaded.model->create_session(40, 2);
    std::vector<float> logits;
    const bool encodes = !kind.start.empty();
    const std::string empty = encodes ? "needs a prompt" : "at least one row";
    CHECK_ERROR("OPTION_INVALID", empty, session->prefill({{}, {}, kind.start}, never, logits));
    if (encodes) CHECK_ERROR("OPTION_INVALID", "starts with", session->prefill({{}, {5}, {}}, never, logits));
    CHECK_ERROR("OPTION_INVALID", check::text("rows of ", kind.width, " values"),
                session->prefill({{1, 2, 3}, {1}, kind.start}, never, logits));
    for (const int32_t bad :
         {-1, vocabulary, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()}) {
        const std::string text = check::text("token ", bad, " is none of the vocabulary's 23");
        CHECK_ERROR("OPTION_INVALID", text, session->prefill({{}, {bad}, kind.start}, never, logits));
        CHECK_ERROR("OPTION_INVALID", text, session->prefill({{}, {1}, {bad}}, never, logits));
    }
    CHECK_ERROR("OPTION_INVALID", "parent 0", session->decode({1}, {}, never, logits));
    CHECK_ERROR("OPTION_INVALID", "rows", session->decode({}, {}, never, logits));
    session->prefill({{}, {2}, kind.start}, never, logits);
    CHECK_ERROR("OPTION_INVALID", "1..2 rows", session->decode({1, 2, 3}, {0, 0, 0}, never, logits));
    CHECK_ERROR("OPTION_INVALID", "parent 1", session->decode({1}, {1}, never, logits));
    CHECK_ERROR("OPTION_INVALID", "parent -1", session->decode({1}, {-1}, never, logits));
    CHECK_ERROR("OPTION_INVALID", "2 tokens came with 1 parents", session->decode({1, 2}, {0}, never, logits));
    CHECK_ERROR("OPTION_INVALID", "0 tokens came with 1 parents", session->decode({}, {0}, never, logits));
    CHECK_ERROR("OPTION_INVALID", "token 23", session->decode({23}, {0}, never, logits));
    session->decode({1, 2}, {0, 0}, never, logits);
    CHECK_ERROR("OPTION_INVALID", "all 2 sequences", session->prefill({{}, {2}, kind.start}, never, logits));
    History history{{}, {2}, kind.start};
    history.answer.insert(history.answer.end(), {2, 7});
    session->decode({6, 7}, {}, never, logits);
    is_right(loaded, logits, 1, history, 1e-5, std::string(kind.name) + " after wrong steps");
}

void test_cancel(const Kind& kind, Compute& compute) {
    const Loaded loaded(kind.file, compute, options_of(GGML_TYPE_F32));
    std::vector<float> logits;
    CancelToken cancelled;
    cancelled.cancel();
    const auto session = loaded.model->create_session(40, 2);
    CHECK_ERROR("ABORTED", "", session->prefill({{}, {2}, kind.start}, cancelled, logits));
    CHECK_ERROR("DISPOSED", "ended", session->prefill({{}, {2}, kind.start}, never, logits));
    const auto other = loaded.model->create_session(40, 2);
    other->prefill({{}, {2}, kind.start}, never, logits);
    CHECK_ERROR("ABORTED", "", other->decode({1}, {}, cancelled, logits));
    CHECK_ERROR("DISPOSED", "ended", other->decode({1}, {}, never, logits));
    // In the middle of a long prompt, from another thread.
    CancelToken later;
    const auto third = loaded.model->create_session(500, 1);
    std::thread canceller([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        later.cancel();
    });
    const std::string code = check::error_code([&] {
        third->prefill({{}, std::vector<int32_t>(std::string(kind.name) == "OPT" ? 60 : 480, 5), kind.start}, later,
                       logits);
    });
    canceller.join();
    CHECK_THAT(code == "ABORTED" || code == "nothing", code);
}

void test_release(const Kind& kind, Compute& compute) {
    auto loaded = std::make_unique<Loaded>(kind.file, compute, options_of(GGML_TYPE_F32, 40, 2));
    std::vector<float> logits;
    auto session = loaded->model->create_session(40, 2);
    session->prefill({{}, {2}, kind.start}, never, logits);
    session->release();
    session->release();
    CHECK_ERROR("DISPOSED", "ended", session->decode({1}, {}, never, logits));
    CHECK_ERROR("DISPOSED", "ended", session->prefill({{}, {2}, kind.start}, never, logits));
    const auto next = loaded->model->create_session(40, 2);
    session.reset();
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", "0 and 0 are free", loaded->model->create_session(1, 1));
    // A session keeps what it needs of the model.
    loaded.reset();
    next->prefill({{}, {2}, kind.start}, never, logits);
    next->decode({1}, {}, never, logits);
    CHECK(logits.size() == vocabulary);
}

// OPT has as many positions as its table has rows.
void test_positions(Compute& compute) {
    tiny_opt::Shape shape{};
    shape.positions = 12;
    const Loaded loaded(tiny_opt::make(shape, 3).file, compute, options_of(GGML_TYPE_F32));
    CHECK(loaded.model->max_positions() == 12);
    const auto session = loaded.model->create_session(100, 3);
    std::vector<float> logits;
    const std::vector<float> soft = loaded.soft_tokens(4, 1);
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", "13 tokens, but the model has 12 positions",
                session->prefill({soft, std::vector<int32_t>(9, 5), {}}, never, logits));
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", "13 tokens, but the model has 12 positions",
                session->prefill({soft, std::vector<int32_t>(8, 5), {7}}, never, logits));
    session->prefill({soft, std::vector<int32_t>(7, 5), {}}, never, logits);
    session->prefill({{}, {5}, {}}, never, logits);
    session->decode({6, 7}, {}, never, logits);
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", "13 tokens, but the model has 12 positions",
                session->decode({6, 7}, {}, never, logits));
    session->decode({8}, {1}, never, logits);
    CHECK(error_of(logits, loaded.logits({{}, {5}, {7, 8}})) < 1e-5);
}

// An encoder's scores grow with the square of the prompt: refused before the system promises memory it does not have.
void test_score_memory(Compute& compute) {
    tiny_t5::Shape shape{};
    shape.heads = 256;
    shape.d_kv = 1;
    const Loaded loaded(tiny_t5::make(shape, 3).file, compute, options_of({}, 200010));
    const auto session = loaded.model->create_session(200010, 1);
    std::vector<float> logits;
    CHECK_ERROR("OUT_OF_MEMORY", "a prompt of 200000 tokens takes",
                session->prefill({{}, std::vector<int32_t>(200000, 5), {0}}, never, logits));
}

void test_options(const Kind& kind, Compute& compute) {
    for (const LanguageModelOptions& options : {options_of({}, -1, 1), options_of({}, 10, 0), options_of({}, 10, 65)}) {
        CHECK_ERROR("OPTION_INVALID", "1..64", Loaded(kind.file, compute, options));
    }
    CHECK_ERROR("OUT_OF_MEMORY", "smaller contextSize", Loaded(kind.file, compute, options_of({}, 1 << 30, 1)));
    CHECK(Loaded(kind.file, compute, options_of({}, 0, 1)).model->context_size() == 2048);
    CHECK(Loaded(kind.file, compute, options_of({}, 1, 1)).model->context_size() == 1);
    CHECK(Loaded(kind.file, compute).model->tokenizer() == nullptr);
}

}  // namespace

int main() {
    start_engine();
    Compute compute("cpu", 1);
    for (const Kind& kind : kinds()) {
        test_walks(kind, compute);
        test_cache_types(kind, compute);
        test_turns(kind, compute);
        test_reuse(kind, compute);
        test_room(kind, compute);
        test_wrong_steps(kind, compute);
        test_cancel(kind, compute);
        test_release(kind, compute);
        test_options(kind, compute);
    }
    test_positions(compute);
    test_score_memory(compute);
    return check::report();
}
