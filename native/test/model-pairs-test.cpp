// Pairs of a vision file and a language model of each kind: those that belong together run, the others are refused with
// both named.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "gguf-writer.h"
#include "instructblip.h"
#include "stages.h"
#include "tiny-language-model.h"
#include "tiny-model.h"
#include "tiny-opt.h"
#include "tiny-t5.h"

using namespace instructblip;
using gguf_writer::Entry;
using gguf_writer::File;
using gguf_writer::TemporaryFile;

namespace {

const CancelToken never;

// A language model's kind, and what a vision file says about it.
struct Kind {
    std::string type;
    File file;
    int64_t embedding_length;
    int32_t vocabulary;
    int32_t decoder_start;
};

std::vector<Kind> kinds() {
    const tiny_language::Shape llama{};
    const tiny_t5::Shape t5{};
    tiny_opt::Shape opt{};
    opt.width = 10;  // not its hidden size
    return {{"llama", tiny_language::make(llama, 1), llama.hidden,
             static_cast<int32_t>(tiny_language::vocabulary().size()), -1},
            {"t5", tiny_t5::make(t5, 1).file, t5.d_model, static_cast<int32_t>(t5.vocabulary), 0},
            {"opt", tiny_opt::make(opt, 1).file, opt.width, static_cast<int32_t>(opt.vocabulary), -1}};
}

void put(File& file, const Entry& entry) {
    for (Entry& old : file.entries) {
        if (old.key != entry.key) continue;
        old = entry;
        return;
    }
    file.entries.push_back(entry);
}

File vision_file(const Kind& kind) {
    tiny::Shape shape{"pair"};
    shape.language = kind.embedding_length;
    File file = tiny::make(shape, 5).file;
    put(file, gguf_writer::string("instructblip.text.model_type", kind.type));
    put(file, gguf_writer::u32("instructblip.text.vocab_size", static_cast<uint32_t>(kind.vocabulary)));
    put(file, gguf_writer::i32("instructblip.text.decoder_start_token_id", kind.decoder_start));
    return file;
}

// Writes both files and checks them; `seen`: their paths, for messages.
struct Pair {
    TemporaryFile vision;
    TemporaryFile language_model;
    Pair(const File& one, const File& other) : vision(one.bytes()), language_model(other.bytes()) {}
    ModelFacts check() const { return InstructBlip::check({vision.path(), language_model.path()}); }
};

void expect(const std::string& code, const std::vector<std::string>& parts, const Pair& pair, const std::string& what) {
    std::string message;
    const std::string found = check::error_code([&] { pair.check(); }, &message);
    CHECK_THAT(found == code, what + ": expected " + code + ", got " + found + " " + message);
    std::vector<std::string> wanted = parts;
    if (code != "nothing") wanted.insert(wanted.end(), {pair.vision.path(), pair.language_model.path()});
    for (const std::string& part : wanted) {
        CHECK_THAT(message.find(part) != std::string::npos, check::text(what, ": no '", part, "' in: ", message));
    }
}

void test_kinds() {
    for (const Kind& one : kinds()) {
        for (const Kind& other : kinds()) {
            const Pair pair(vision_file(one), other.file);
            if (one.type == other.type) {
                expect("nothing", {}, pair, one.type);
                const ModelFacts facts = pair.check();
                CHECK(facts.language_model && facts.language_model->model_type == one.type);
                continue;
            }
            expect("MODEL_PAIR_MISMATCH", {"of type '" + one.type + "'", "of type '" + other.type + "'"}, pair,
                   one.type + " with " + other.type);
        }
    }
}

void test_sizes() {
    for (const Kind& kind : kinds()) {
        const auto with = [&](const char* what, const std::string& code, const std::vector<std::string>& parts,
                              const Entry& entry) {
            File vision = vision_file(kind);
            put(vision, entry);
            expect(code, parts, Pair(vision, kind.file), kind.type + " " + what);
        };
        Kind wider = kind;
        ++wider.embedding_length;
        expect("MODEL_PAIR_MISMATCH",
               {"of hidden size " + std::to_string(wider.embedding_length),
                "of hidden size " + std::to_string(kind.embedding_length)},
               Pair(vision_file(wider), kind.file), kind.type + " of another hidden size");
        const std::string prefix = "instructblip.text.";
        const std::string mismatch = "MODEL_PAIR_MISMATCH";
        const std::string tokens = "with " + std::to_string(kind.vocabulary) + " tokens";
        const auto vocabulary = static_cast<uint32_t>(kind.vocabulary);
        with("with rows for added tokens", "nothing", {}, gguf_writer::u32(prefix + "vocab_size", vocabulary + 64));
        with("with another vocabulary", mismatch, {tokens, "with " + std::to_string(vocabulary + 65) + " tokens"},
             gguf_writer::u32(prefix + "vocab_size", vocabulary + 65));
        const std::string token = "with token " + std::to_string(vocabulary);
        for (const char* const name : {"prompt_bos_token_id", "prompt_eos_token_id"}) {
            with(name, mismatch, {tokens, token}, gguf_writer::i32(prefix + name, kind.vocabulary));
            with(name, "nothing", {}, gguf_writer::i32(prefix + name, kind.vocabulary - 1));
        }
        with("eos", mismatch, {tokens, token},
             gguf_writer::array<int32_t>(prefix + "eos_token_ids", gguf_writer::GgufType::i32, {1, kind.vocabulary}));
        const bool encodes = kind.decoder_start >= 0;
        with("decoder start outside", mismatch, {tokens, token},
             gguf_writer::i32(prefix + "decoder_start_token_id", kind.vocabulary));
        with("decoder start", encodes ? "nothing" : "MODEL_FILE_KEY_INVALID",
             {encodes ? "" : "decoder_start_token_id' of"}, gguf_writer::i32(prefix + "decoder_start_token_id", 3));
        with("no decoder start", encodes ? "MODEL_FILE_KEY_INVALID" : "nothing",
             {encodes ? "decoder_start_token_id' of" : ""}, gguf_writer::i32(prefix + "decoder_start_token_id", -1));
        File missing = vision_file(kind);
        missing.entries.erase(std::find_if(missing.entries.begin(), missing.entries.end(), [&](const Entry& entry) {
            return entry.key == prefix + "decoder_start_token_id";
        }));
        expect(encodes ? "MODEL_FILE_KEY_INVALID" : "nothing", {}, Pair(missing, kind.file),
               kind.type + " without the key of the decoder's start");
    }
}

// Keys that the first version's files lack: where they are, they must be right.
void test_text_keys() {
    const std::string prefix = "instructblip.text.";
    const Kind kind = kinds()[1];
    const auto refuse = [&](const Entry& entry) {
        File vision = vision_file(kind);
        put(vision, entry);
        const Pair pair(vision, kind.file);
        CHECK_ERROR("MODEL_FILE_KEY_INVALID", entry.key, pair.check());
    };
    for (const char* const name : {"prompt_eos_token_id", "decoder_start_token_id"}) {
        refuse(gguf_writer::string(prefix + name, "0"));
        refuse(gguf_writer::f32(prefix + name, 0));
        refuse(gguf_writer::boolean(prefix + name, false));
        refuse(gguf_writer::i32(prefix + name, -2));
        refuse(gguf_writer::u32(prefix + name, 0x80000000U));
        refuse(gguf_writer::array<int32_t>(prefix + name, gguf_writer::GgufType::i32, {0}));
    }
    refuse(gguf_writer::u32(prefix + "clean_up_tokenization_spaces", 1));
    refuse(gguf_writer::string(prefix + "clean_up_tokenization_spaces", "true"));
    for (const char* const type : {"", "T5", "gptj"}) {
        File vision = vision_file(kind);
        put(vision, gguf_writer::string(prefix + "model_type", type));
        expect("MODEL_PAIR_MISMATCH", {std::string("of type '") + type + "'", "of type 't5'"}, Pair(vision, kind.file),
               std::string("a vision file for ") + type);
    }
}

// From pixels to logits, whichever language model runs.
void test_runs() {
    for (const Kind& kind : kinds()) {
        const Pair files(vision_file(kind), kind.file);
        ModelOptions options;
        options.device = "cpu";
        options.threads = 1;
        options.language_model.max_sequences = 3;
        std::vector<std::string> stages;
        InstructBlip model(
            {files.vision.path(), files.language_model.path()}, options,
            [&](const char* stage, uint64_t, uint64_t) {
                if (stages.empty() || stages.back() != stage) stages.emplace_back(stage);
            },
            never);
        CHECK((stages == std::vector<std::string>{"vision encoder", "Q-Former", "language model"}));
        const auto pixels = tiny::random_values(static_cast<size_t>(model.facts().vision.pixel_count()), 9);
        const auto soft_tokens = model.query_image(model.encode_image(pixels, never), {1, 4, 2}, never);
        const auto session = model.language_model().create_session(30, 3);
        std::vector<float> logits;
        const std::vector<int32_t> start = kind.decoder_start < 0 ? std::vector<int32_t>() : std::vector<int32_t>{0};
        session->prefill({soft_tokens, {2, 5}, start}, never, logits);
        session->decode({3, 4}, {0, 0}, never, logits);
        CHECK(logits.size() == 2 * static_cast<size_t>(kind.vocabulary));
        CHECK(std::all_of(logits.begin(), logits.end(), [](float value) { return std::isfinite(value); }));
        CancelToken cancel;
        const LoadProgress cancelling = [&](const char* stage, uint64_t, uint64_t) {
            if (std::string(stage) == "language model") cancel.cancel();
        };
        CHECK_ERROR("ABORTED", "",
                    InstructBlip({files.vision.path(), files.language_model.path()}, options, cancelling, cancel));
    }
}

}  // namespace

int main() {
    stages::start_engine();
    test_kinds();
    test_sizes();
    test_text_keys();
    test_runs();
    return check::report();
}
