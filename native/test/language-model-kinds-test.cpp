// Language model files with another vocabulary, of another kind or of another shape: what can run runs, the rest is
// refused.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "language-model-cases.h"

using namespace language_model_cases;

namespace {

struct Vocabulary {
    std::vector<std::string> texts;
    std::vector<float> scores;
    std::vector<int32_t> types;

    Vocabulary() {
        for (const tiny_language::Token& token : tiny_language::vocabulary()) {
            texts.push_back(token.text);
            scores.push_back(token.score);
            types.push_back(token.type);
        }
    }
    void put(File& file) const {
        const std::string prefix = "tokenizer.ggml.";
        file.entry(prefix + "tokens") = array(prefix + "tokens", GgufType::string, texts);
        file.entry(prefix + "scores") = array(prefix + "scores", GgufType::f32, scores);
        file.entry(prefix + "token_type") = array(prefix + "token_type", GgufType::i32, types);
    }
};

void damage_vocabulary(Cases& cases) {
    const auto change = [&](const std::string& what, const std::string& expected,
                            const std::function<void(Vocabulary&)>& alter) {
        cases.add("vocabulary: " + what, expected, [alter](File& file) {
            Vocabulary vocabulary;
            alter(vocabulary);
            vocabulary.put(file);
        });
    };
    const std::string invalid = "MODEL_FILE_KEY_INVALID";
    for (const int by : {-20, -1, 1, 1000}) {
        const std::string size = " by " + std::to_string(by);
        const auto resize = [by](auto& values) { values.resize(values.size() + static_cast<size_t>(by)); };
        change("tokens resized" + size, invalid, [resize](Vocabulary& v) { resize(v.texts); });
        change("scores resized" + size, invalid, [resize](Vocabulary& v) { resize(v.scores); });
        change("types resized" + size, invalid, [resize](Vocabulary& v) { resize(v.types); });
        change("all resized" + size, refused, [resize](Vocabulary& v) {
            resize(v.texts);
            resize(v.scores);
            resize(v.types);
        });
    }
    for (size_t id = 0; id < Vocabulary().texts.size(); id += 7) {
        const std::string at = " at " + std::to_string(id);
        change("twice" + at, invalid, [id](Vocabulary& v) { v.texts[id] = v.texts[(id + 5) % v.texts.size()]; });
        change("empty" + at, any, [id](Vocabulary& v) { v.texts[id].clear(); });
        change("NUL" + at, any, [id](Vocabulary& v) { v.texts[id] = std::string("\0x", 2); });
        change("long" + at, any, [id](Vocabulary& v) { v.texts[id] = std::string(100000, 'x'); });
        change("phi" + at, any, [id](Vocabulary& v) { v.texts[id] = "<|endoftext|>"; });
        for (const int32_t type : {-1, 0, 1, 2, 3, 4, 5, 6, 7, 1 << 30}) {
            change("type" + at, type < 0 || type > 6 ? invalid : any,
                   [id, type](Vocabulary& v) { v.types[id] = type; });
        }
        for (const float score : {0.0F, 1e30F, INFINITY, std::nanf("")}) {
            change("score" + at, std::isfinite(score) ? "nothing" : invalid,
                   [id, score](Vocabulary& v) { v.scores[id] = score; });
        }
    }
    for (int32_t type = 0; type <= 6; ++type) {
        change("all of one type", any, [type](Vocabulary& v) { v.types.assign(v.types.size(), type); });
    }
    change("an empty token and its name", invalid, [](Vocabulary& v) {
        v.texts[262].clear();
        v.texts[263] = "[EMPTY_262]";
    });
    change("the same up to NUL", invalid, [](Vocabulary& v) { v.texts[261] = std::string("he\0x", 4); });
    change("a byte as a character", "nothing", [](Vocabulary& v) {
        v.texts[3 + 'q'] = "q";
        v.types[3 + 'q'] = 1;
    });
    change("NUL as a character", invalid, [](Vocabulary& v) {
        v.texts[3] = std::string("\0", 1);
        v.types[3] = 1;
    });
}

void put_entry(File& file, const Entry& entry) {
    for (Entry& old : file.entries) {
        if (old.key != entry.key) continue;
        old = entry;
        return;
    }
    file.entries.push_back(entry);
}

void change_keys(Cases& cases) {
    const auto put = [&](const std::string& expected, const Entry& entry) {
        cases.add(entry.key + " put", expected, [entry](File& file) { put_entry(file, entry); });
    };
    const std::string unsupported = "MODEL_FILE_UNSUPPORTED";
    put(unsupported, string("general.architecture", "clip"));
    put(unsupported, string("general.architecture", "qwen2"));
    put(unsupported, array<std::string>("llama.classifier.output_labels", GgufType::string, {"yes", "no"}));
    put(unsupported, u32("llama.expert_count", 8));
    put(unsupported, u32("llama.expert_used_count", 2));
    put(unsupported, u32("llama.nextn_predict_layers", 1));
    put(unsupported, u32("llama.pooling_type", 1));
    put(unsupported, boolean("llama.attention.causal", false));
    put("MODEL_FILE_UNSUPPORTED", scalar<uint16_t>("split.count", GgufType::u16, 3));
    for (const char* const tokenizer : {"gpt2", "bert", "t5", "rwkv", "none", "no_vocab", "test", "plamo2", "gemma4"}) {
        put(unsupported, string("tokenizer.ggml.model", tokenizer));
    }
    put("nothing", array<float>("llama.something", GgufType::f32, {1}));
    put("nothing", u32("tokenizer.ggml.padding_token_id", 0xFFFFFFFFU));
    put("MODEL_FILE_KEY_INVALID", u32("tokenizer.ggml.bos_token_id", 0xFFFFFFFFU));
    put("nothing", array<int32_t>("tokenizer.ggml.suppress_tokens", GgufType::i32, {-1, 5, 1 << 30}));
    put("nothing", array<int32_t>("tokenizer.ggml.scores", GgufType::i32,
                                  std::vector<int32_t>(tiny_language::vocabulary().size(), -7)));
    put("MODEL_FILE_KEY_INVALID", array<int32_t>("tokenizer.ggml.scores", GgufType::i32, {1, 2}));
}

void change_names(Cases& cases) {
    const auto name = [&](const std::string& expected, bool complete) {
        cases.add("a model called phi-3", expected, [complete](File& file) {
            Vocabulary vocabulary;
            if (complete) vocabulary.texts.back() = "<|endoftext|>";
            vocabulary.put(file);
            file.entry("general.name") = string("general.name", "My Phi-3 vicuna");
        });
    };
    name("MODEL_FILE_UNSUPPORTED", false);
    name("nothing", true);
}

void change_scaling(Cases& cases) {
    for (const char* const kind : {"none", "linear", "yarn", "longrope"}) {
        const auto scale = [kind](File& file, const char* factors) {
            file.entry("llama.rope.scaling.type") = string("llama.rope.scaling.type", kind);
            file.entry("llama.rope.scaling.factor") = f32("llama.rope.scaling.factor", 4);
            file.tensor("rope_freqs.weight").name = factors;
        };
        const bool is_long = std::string(kind) == "longrope";
        const std::string unsupported = "MODEL_FILE_UNSUPPORTED";
        for (const char* const factors :
             {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"}) {
            const bool fits = is_long == (std::string(factors) != "rope_freqs.weight");
            cases.add(std::string("rope scaling ") + kind + " with " + factors, fits ? "nothing" : unsupported,
                      [scale, factors](File& file) { scale(file, factors); });
        }
    }
}

// Files whose tensors agree with their keys: only the rule itself can refuse them.
void change_shapes(Cases& cases) {
    const auto add = [&](const std::string& name, const std::string& expected,
                         const std::function<void(tiny_language::Shape&)>& alter) {
        tiny_language::Shape shape{};
        alter(shape);
        cases.add(name, expected, [shape] { return tiny_language::make(shape, 7).bytes(); });
    };
    using tiny_language::Shape;
    add("as it is", "nothing", [](Shape&) {});
    add("tied", "nothing", [](Shape& s) { s.tied = true; });
    add("biases", "nothing", [](Shape& s) { s.biases = true; });
    add("fused", "nothing", [](Shape& s) { s.fused = true; });
    add("fused with biases", "nothing", [](Shape& s) { s.fused = s.biases = true; });
    add("no grouped heads", "nothing", [](Shape& s) { s.kv_heads = 4; });
    add("one kv head", "nothing", [](Shape& s) { s.kv_heads = 1; });
    add("longer heads", "nothing", [](Shape& s) { s.head_size = s.value_size = 12; });
    add("three layers", "nothing", [](Shape& s) { s.layers = 3; });
    add("hidden size of no blocks", "nothing", [](Shape& s) {
        s.hidden = 36;
        s.head_size = s.value_size = 6;
        s.heads = 6;
        s.intermediate = 50;
    });
    add("odd heads", refused, [](Shape& s) { s.head_size = s.value_size = 9; });
    add("heads of one", refused, [](Shape& s) { s.head_size = s.value_size = 1; });
    add("other values", refused, [](Shape& s) { s.value_size = 12; });
    add("kv heads that do not divide", refused, [](Shape& s) { s.kv_heads = 3; });
    add("more kv heads", refused, [](Shape& s) { s.kv_heads = 8; });
    add("no kv heads", refused, [](Shape& s) { s.kv_heads = 0; });
}

void change_types(Cases& cases) {
    for (const bool tied : {false, true}) {
        for (int type = 0; type < GGML_TYPE_COUNT; ++type) {
            const auto kind = static_cast<ggml_type>(type);
            const int64_t block = ggml_blck_size(kind);
            if (block == 0 || (ggml_get_type_traits(kind)->from_float_ref == nullptr && kind != GGML_TYPE_F32))
                continue;
            if (ggml_quantize_requires_imatrix(kind) || kind == GGML_TYPE_Q8_1 || kind == GGML_TYPE_Q8_K) continue;
            tiny_language::Shape s{};
            s.type = kind;
            s.tied = tied;
            s.hidden = std::max<int64_t>(64, block);
            s.heads = 8;
            s.head_size = s.value_size = s.hidden / s.heads;
            s.intermediate = 2 * s.hidden;
            cases.add(std::string("all of ") + ggml_type_name(kind), "nothing",
                      [s] { return tiny_language::make(s, 5).bytes(); });
        }
    }
}

// One value for each layer: allowed where all are equal.
void change_layers(Cases& cases) {
    tiny_language::Shape shape{};
    shape.layers = 3;
    for (const char* const name : {"feed_forward_length", "attention.head_count", "attention.head_count_kv"}) {
        const std::string key = std::string("llama.") + name;
        const auto put = [&](const std::string& expected, const std::vector<int32_t>& factors) {
            cases.add(key + " per layer", expected, [shape, key, factors] {
                File file = tiny_language::make(shape, 3);
                int32_t value = 0;
                std::memcpy(&value, file.entry(key).value.data(), sizeof(value));
                std::vector<int32_t> values;
                values.reserve(factors.size());
                for (const int32_t factor : factors) values.push_back(factor * value);
                file.entry(key) = array(key, GgufType::i32, values);
                return file.bytes();
            });
        };
        put("nothing", {1, 1, 1});
        put("MODEL_FILE_UNSUPPORTED", {1, 1, 2});
        put("MODEL_FILE_KEY_INVALID", {1, 1});
        put("MODEL_FILE_KEY_INVALID", {1, 1, -1});
        put("MODEL_FILE_KEY_INVALID", {});
    }
}

void random_shapes(Cases& cases) {
    std::mt19937 random(4);
    const auto pick = [&](int64_t smallest, int64_t largest) {
        return std::uniform_int_distribution<int64_t>(smallest, largest)(random);
    };
    for (size_t i = 0; i < 400 / stride; ++i) {
        tiny_language::Shape shape{};
        shape.type = pick(0, 1) == 0 ? GGML_TYPE_F32 : GGML_TYPE_F16;
        shape.heads = pick(1, 6);
        shape.kv_heads = pick(1, shape.heads);
        shape.head_size = shape.value_size = pick(1, 12);
        if (pick(0, 9) == 0) shape.value_size = pick(1, 12);
        shape.hidden = pick(0, 1) == 0 ? shape.heads * shape.head_size : pick(1, 40);
        shape.intermediate = pick(1, 40);
        shape.layers = pick(1, 3);
        shape.tied = pick(0, 1) == 0;
        shape.biases = pick(0, 2) == 0;
        shape.fused = pick(0, 3) == 0;
        cases.add("random shape " + std::to_string(i), any, [shape] { return tiny_language::make(shape, 8).bytes(); });
    }
}

}  // namespace

int main() {
    instructblip::initialize_engine(INSTRUCTBLIP_ENGINE_DIRECTORY, {});
    Cases cases(sound_file());
    damage_vocabulary(cases);
    change_keys(cases);
    change_names(cases);
    change_scaling(cases);
    change_shapes(cases);
    change_types(cases);
    change_layers(cases);
    random_shapes(cases);
    cases.run();
    return check::report();
}
