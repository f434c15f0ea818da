// The composition on two tiny files: the whole way from pixels to logits, sessions that fork and reorder, and every way
// to ask for something wrong.
#include "instructblip.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "gguf-writer.h"
#include "stages.h"
#include "tiny-language-model.h"
#include "tiny-model.h"

using namespace instructblip;

namespace {

const CancelToken never;

struct Pair {
    gguf_writer::TemporaryFile vision;
    gguf_writer::TemporaryFile language_model;
    ModelPaths paths() const { return {vision.path(), language_model.path()}; }
};

gguf_writer::File vision_file(int64_t language_hidden, uint32_t vocabulary) {
    tiny::Shape shape{"pair"};
    shape.language = language_hidden;
    gguf_writer::File file = tiny::make(shape, 5).file;
    for (gguf_writer::Entry& entry : file.entries) {
        if (entry.key == "instructblip.text.vocab_size") {
            entry = gguf_writer::u32("instructblip.text.vocab_size", vocabulary);
        }
    }
    return file;
}

uint32_t vocabulary_size() {
    return static_cast<uint32_t>(tiny_language::vocabulary().size());
}

tiny_language::Shape language_shape() {
    tiny_language::Shape shape;
    shape.layers = 2;
    return shape;
}

Pair good_pair() {
    return {gguf_writer::TemporaryFile(vision_file(32, vocabulary_size()).bytes()),
            gguf_writer::TemporaryFile(tiny_language::make(language_shape(), 6).bytes())};
}

ModelOptions options(ggml_type cache = GGML_TYPE_F32) {
    ModelOptions result;
    result.device = "cpu";
    result.threads = 1;
    result.language_model.max_sequences = 8;
    result.language_model.context_size = 64;
    result.language_model.kv_cache_type = cache;
    return result;
}

double difference(const float* a, const float* b, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; ++i) {
        const double distance = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
        if (!(distance <= largest)) largest = distance;
    }
    return largest;
}

// A loaded pair with a picture's soft tokens.
struct Fixture {
    Pair files = good_pair();
    std::unique_ptr<InstructBlip> model;
    std::vector<float> soft_tokens;

    explicit Fixture(ggml_type cache = GGML_TYPE_F32) {
        model = std::make_unique<InstructBlip>(files.paths(), options(cache), LoadProgress(), never);
        const auto pixels = tiny::random_values(static_cast<size_t>(model->facts().vision.pixel_count()), 9);
        soft_tokens = model->query_image(model->encode_image(pixels, never), {1, 4, 2}, never);
    }

    std::vector<float> logits_of(const std::vector<int32_t>& tokens) const {
        const auto rows = model->facts().qformer.num_query_tokens + static_cast<int64_t>(tokens.size());
        const auto session = model->language_model().create_session(static_cast<int32_t>(rows), 1);
        std::vector<float> logits;
        session->prefill({soft_tokens, tokens, {}}, never, logits);
        return logits;
    }
};

void test_load_progress() {
    const Pair files = good_pair();
    std::vector<std::string> stages;
    uint64_t last = 0;
    const InstructBlip model(
        files.paths(), options(),
        [&](const char* stage, uint64_t loaded, uint64_t total) {
            if (stages.empty() || stages.back() != stage) stages.emplace_back(stage);
            CHECK(loaded <= total && total > 0);
            last = loaded;
        },
        never);
    CHECK((stages == std::vector<std::string>{"vision encoder", "Q-Former", "language model"}));
    CHECK(last > 0);
    for (const std::string& stage : stages) {
        CancelToken cancel;
        const LoadProgress cancelling = [&](const char* now, uint64_t, uint64_t) {
            if (stage == now) cancel.cancel();
        };
        CHECK_ERROR("ABORTED", "", InstructBlip(files.paths(), options(), cancelling, cancel));
    }
}

// A forward pass: the logits of every row, and hidden tokens.
void test_forward() {
    const Fixture fixture;
    InstructBlip& model = *fixture.model;
    const size_t vocabulary = vocabulary_size();
    const int64_t width = model.facts().vision.projection_size;
    const auto soft = fixture.soft_tokens.size() / static_cast<size_t>(width);
    const auto run = [&](const ForwardInput& input) {
        Trace trace({"language.logits", "llama.embeddings", "llama.output", "llama.attention_weights-0"});
        model.run_language(input, never, trace);
        return trace.tensors();
    };
    const auto seen = run({fixture.soft_tokens, {2, 260, 5}, {1, 0, 1}, {}, {}});
    const std::vector<float>& logits = seen.at("language.logits").data;
    CHECK(logits.size() == (soft + 3) * vocabulary);
    CHECK(difference(logits.data() + soft * vocabulary, fixture.logits_of({2}).data(), vocabulary) < 1e-5);
    CHECK(std::equal(fixture.soft_tokens.begin(), fixture.soft_tokens.end(), seen.at("llama.embeddings").data.begin()));
    const TracedTensor& weights = seen.at("llama.attention_weights-0");
    const size_t rows = soft + 3;
    CHECK(weights.shape.size() == 3 && weights.data.size() % (rows * rows) == 0);
    CHECK(weights.data[rows * rows - 2] == 0 && weights.data[rows * rows - 1] > 0);
    const auto plain = run({fixture.soft_tokens, {2, 260, 5}, {}, {}, {}});
    const float* const last = plain.at("language.logits").data.data() + (soft + 2) * vocabulary;
    CHECK(difference(last, fixture.logits_of({2, 260, 5}).data(), vocabulary) < 1e-5);
    CHECK_ERROR("OPTION_INVALID", "2 values", run({fixture.soft_tokens, {2, 260}, {1}, {}, {}}));
    CHECK_ERROR("OPTION_INVALID", "no answer", run({fixture.soft_tokens, {2}, {}, {1}, {}}));
    CHECK_ERROR("OPTION_INVALID", "see nothing", run({{}, {2, 3}, {0, 1}, {}, {}}));
    CHECK_ERROR("OPTION_INVALID", "at least one row", run({{}, {}, {}, {}, {}}));
}

// Parts of a model: what is not loaded says so.
void test_stages() {
    const Pair files = good_pair();
    ModelOptions some = options();
    some.stages.qformer = false;
    InstructBlip model({files.vision.path(), ""}, some, LoadProgress(), never);
    const auto pixels = tiny::random_values(static_cast<size_t>(model.facts().vision.pixel_count()), 9);
    const std::vector<float> features = model.encode_image(pixels, never);
    CHECK(!model.has_language_model());
    CHECK_ERROR("OPTION_INVALID", "Q-Former is not loaded", model.query_image(features, {1}, never));
    CHECK_ERROR("OPTION_INVALID", "language model is not loaded", model.language_model());
}

// Rows that fork, reorder and drop hold what a session of their own would hold.
void test_forks() {
    const Fixture fixture;
    const size_t vocabulary = vocabulary_size();
    const auto session = fixture.model->language_model().create_session(40, 4);
    std::vector<float> logits;
    session->prefill({fixture.soft_tokens, {2, 260}, {}}, never, logits);
    CHECK(difference(logits.data(), fixture.logits_of({2, 260}).data(), vocabulary) < 1e-5);
    session->decode({261, 262, 263}, {0, 0, 0}, never, logits);
    session->decode({10, 11, 12, 13}, {2, 2, 0, 1}, never, logits);
    session->decode({20, 21}, {3, 1}, never, logits);
    CHECK(logits.size() == 2 * vocabulary);
    CHECK(difference(logits.data(), fixture.logits_of({2, 260, 262, 13, 20}).data(), vocabulary) < 1e-5);
    CHECK(difference(logits.data() + vocabulary, fixture.logits_of({2, 260, 263, 11, 21}).data(), vocabulary) < 1e-5);
    CHECK(difference(logits.data(), logits.data() + vocabulary, vocabulary) > 1e-3);
}

// Each prefill begins one more sequence; all of them go on in one step, and may fork into each other's places.
void test_several_prompts() {
    const Fixture fixture;
    const size_t vocabulary = vocabulary_size();
    const auto session = fixture.model->language_model().create_session(40, 3);
    std::vector<float> logits;
    session->prefill({fixture.soft_tokens, {2, 260}, {}}, never, logits);
    session->prefill({fixture.soft_tokens, {2, 265}, {266, 267}}, never, logits);
    CHECK(difference(logits.data(), fixture.logits_of({2, 265, 266, 267}).data(), vocabulary) < 1e-5);
    session->decode({261, 262, 263}, {1, 0, 1}, never, logits);
    CHECK(difference(logits.data(), fixture.logits_of({2, 265, 266, 267, 261}).data(), vocabulary) < 1e-5);
    CHECK(difference(logits.data() + vocabulary, fixture.logits_of({2, 260, 262}).data(), vocabulary) < 1e-5);
    CHECK_ERROR("OPTION_INVALID", "all 3 sequences", session->prefill({{}, {2}, {}}, never, logits));
}

// Sessions share one cache and must not see each other.
void test_sessions_in_turns() {
    const Fixture fixture;
    const auto one = fixture.model->language_model().create_session(20, 1);
    const auto other = fixture.model->language_model().create_session(20, 2);
    std::vector<float> first;
    std::vector<float> second;
    one->prefill({fixture.soft_tokens, {2, 260}, {}}, never, first);
    other->prefill({{}, {2, 265, 266}, {}}, never, second);
    one->decode({261}, {}, never, first);
    other->decode({5, 6}, {0, 0}, never, second);
    one->decode({262}, {}, never, first);
    CHECK(difference(first.data(), fixture.logits_of({2, 260, 261, 262}).data(), first.size()) < 1e-5);
}

void test_cache_types() {
    const std::vector<float> exact = Fixture(GGML_TYPE_F32).logits_of({2, 260, 261, 262});
    float largest = 0;
    for (const float value : exact) largest = std::max(largest, std::abs(value));
    const std::vector<float> half = Fixture(GGML_TYPE_F16).logits_of({2, 260, 261, 262});
    CHECK(difference(half.data(), exact.data(), exact.size()) < 0.01 * static_cast<double>(largest));
    const Pair files = good_pair();
    CHECK_ERROR("OPTION_INVALID", "32", InstructBlip(files.paths(), options(GGML_TYPE_Q8_0), LoadProgress(), never));
}

void test_shares() {
    const Fixture fixture;
    LanguageModel& model = fixture.model->language_model();
    CHECK(model.context_size() == 64);
    auto first = model.create_session(60, 7);
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", "4 and 1 are free", model.create_session(5, 1));
    first->release();
    first->release();
    std::vector<float> logits;
    CHECK_ERROR("DISPOSED", "ended", first->prefill({{}, {1}, {}}, never, logits));
    auto second = model.create_session(64, 8);
    first.reset();
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", "64 of 64 cells left, the step needs 65",
                second->prefill({{}, std::vector<int32_t>(65, 5), {}}, never, logits));
    second->prefill({{}, std::vector<int32_t>(64, 5), {}}, never, logits);
    CHECK(logits.size() == vocabulary_size());
}

void test_wrong_steps() {
    const Fixture fixture;
    const auto session = fixture.model->language_model().create_session(20, 2);
    std::vector<float> logits;
    CHECK_ERROR("OPTION_INVALID", "at least one row", session->prefill({{}, {}, {}}, never, logits));
    CHECK_ERROR("OPTION_INVALID", "rows of 32 values", session->prefill({{1, 2, 3}, {1}, {}}, never, logits));
    CHECK_ERROR("OPTION_INVALID", "token 271", session->prefill({{}, {271}, {}}, never, logits));
    CHECK_ERROR("OPTION_INVALID", "token -1", session->prefill({{}, {-1}, {}}, never, logits));
    session->prefill({{}, {2}, {}}, never, logits);
    CHECK_ERROR("OPTION_INVALID", "1..2 rows", session->decode({1, 2, 3}, {0, 0, 0}, never, logits));
    CHECK_ERROR("OPTION_INVALID", "parent 1", session->decode({1}, {1}, never, logits));
    CHECK_ERROR("OPTION_INVALID", "2 tokens came with 1 parents", session->decode({1, 2}, {0}, never, logits));
    session->decode({1, 2}, {0, 0}, never, logits);
    CHECK_ERROR("OPTION_INVALID", "all 2 sequences", session->prefill({{}, {2}, {}}, never, logits));
    CancelToken cancelled;
    cancelled.cancel();
    CHECK_ERROR("ABORTED", "", session->decode({1, 2}, {}, cancelled, logits));
    CHECK_ERROR("DISPOSED", "ended", session->decode({1, 2}, {}, never, logits));
    CHECK_ERROR("OPTION_INVALID", "pixels", fixture.model->encode_image({1, 2, 3}, never));
    CHECK_ERROR("OPTION_INVALID", "features", fixture.model->query_image({1, 2, 3}, {}, never));
}

void test_text() {
    const Fixture fixture;
    const EngineTokenizer& model = *fixture.model->language_model().tokenizer();
    const std::vector<int32_t> ids = model.tokenize("the </s> \u2603\u00e9", false);
    std::string text;
    for (const int32_t id : ids) text += model.token_bytes(id, false);
    CHECK_THAT(text == " the </s> \u2603\u00e9", text);
    CHECK(std::find(ids.begin(), ids.end(), 2) == ids.end());
    const std::vector<int32_t> special = model.tokenize("</s>", true);
    CHECK(std::find(special.begin(), special.end(), 2) != special.end());
    CHECK(model.token_bytes(2, false).empty() && model.token_bytes(2, true) == "</s>");
    CHECK(model.tokenize("", false).empty());
    CHECK(model.longest_token() == 7);  // `[image]`
    CHECK_ERROR("OPTION_INVALID", "token 271", model.token_bytes(271, false));
}

void test_pairs() {
    const Pair good = good_pair();
    const ModelFacts facts = InstructBlip::check(good.paths());
    CHECK(facts.language_model && facts.language_model->vocabulary_size == vocabulary_size());
    CHECK(facts.vision.projection_size == 32);
    const auto check_pair = [&](int64_t hidden, uint32_t vocabulary) {
        const gguf_writer::TemporaryFile vision(vision_file(hidden, vocabulary).bytes());
        InstructBlip::check({vision.path(), good.language_model.path()});
    };
    check_pair(32, vocabulary_size() + 64);
    check_pair(32, vocabulary_size() - 64);
    CHECK_ERROR("MODEL_PAIR_MISMATCH", "hidden size 40", check_pair(40, vocabulary_size()));
    CHECK_ERROR("MODEL_PAIR_MISMATCH", "336 tokens", check_pair(32, vocabulary_size() + 65));
    CHECK_ERROR("MODEL_NOT_FOUND", "nowhere", InstructBlip::check({"/nowhere", good.language_model.path()}));
    // The two swapped, and one taken for both.
    const std::string vision_path = good.vision.path();
    const std::string language_path = good.language_model.path();
    for (const ModelPaths& paths : {ModelPaths{language_path, vision_path}, ModelPaths{vision_path, vision_path},
                                    ModelPaths{language_path, language_path}}) {
        const std::string code = check::error_code([&] { InstructBlip::check(paths); });
        CHECK_THAT(code == "MODEL_FILE_UNSUPPORTED" || code == "MODEL_FILE_KEY_MISSING", code);
    }
}

void test_options() {
    const Pair files = good_pair();
    const auto load = [&](const ModelOptions& given) { InstructBlip(files.paths(), given, LoadProgress(), never); };
    ModelOptions wrong = options();
    wrong.language_model.max_sequences = 65;
    CHECK_ERROR("OPTION_INVALID", "1..64", load(wrong));
    wrong = options();
    wrong.language_model.context_size = 1 << 30;
    CHECK_ERROR("OUT_OF_MEMORY", "smaller contextSize", load(wrong));
    wrong = options();
    wrong.device = "CUDA9";
    CHECK_ERROR("DEVICE_NOT_FOUND", "CUDA9", load(wrong));
    ModelOptions small = options();
    small.language_model.context_size = 10;
    const InstructBlip model(files.paths(), small, LoadProgress(), never);
    CHECK(model.language_model().context_size() == 10 && model.language_model().max_positions() == 0);
    // What it was trained for, once for each sequence.
    small.language_model.context_size = 0;
    const InstructBlip standard(files.paths(), small, LoadProgress(), never);
    CHECK(standard.language_model().context_size() == 8 * 64 && standard.language_model().max_positions() == 64);
}

}  // namespace

int main() {
    stages::start_engine();
    test_load_progress();
    test_forward();
    test_stages();
    test_forks();
    test_several_prompts();
    test_sessions_in_turns();
    test_cache_types();
    test_shares();
    test_wrong_steps();
    test_text();
    test_pairs();
    test_options();
    return check::report();
}
