// T5 and OPT files of many kinds: which are run, and which are refused.
#include <algorithm>
#include <iterator>
#include <random>

#include "graph-model-cases.h"

using namespace graph_model_cases;

namespace {

// Files that agree with themselves: only the rule itself can refuse them.
void change_t5(Cases& cases) {
    using tiny_t5::Shape;
    const auto add = [&](const std::string& name, const std::string& expected,
                         const std::function<void(Shape&)>& alter) {
        Shape shape{};
        alter(shape);
        cases.add(name, expected, [shape] { return tiny_t5::make(shape, 7).file.bytes(); });
    };
    add("few keys", "nothing", [](Shape& s) { s.few_keys = true; });
    add("activation of HF that we lack", "MODEL_FILE_UNSUPPORTED", [](Shape& s) { s.activation = "quick_gelu"; });
    add("three buckets", "MODEL_FILE_KEY_INVALID", [](Shape& s) { s.buckets = 3; });
    add("many buckets", "MODEL_FILE_KEY_INVALID", [](Shape& s) { s.buckets = 4097; });
    add("short distance", "MODEL_FILE_KEY_INVALID", [](Shape& s) { s.max_distance = s.buckets / 2; });
    add("shortest distance", "nothing", [](Shape& s) { s.max_distance = s.buckets / 2 + 1; });
    add("buckets beyond the distance of few keys", "MODEL_FILE_KEY_INVALID", [](Shape& s) {
        s.few_keys = true;
        s.buckets = 256;
    });
    add("most buckets", "nothing", [](Shape& s) {
        s.buckets = 4096;
        s.max_distance = 1 << 20;
    });
    add("a vocabulary of three", "nothing", [](Shape& s) { s.vocabulary = 3; });
    add("many layers", "MODEL_FILE_KEY_INVALID", [](Shape& s) { s.layers = 257; });
    add("many decoder layers", "MODEL_FILE_KEY_INVALID", [](Shape& s) { s.decoder_layers = 257; });
    for (const char* const key : {"t5.block_count", "t5.decoder_block_count"}) {
        for (const uint32_t count : {2U, 4U}) {
            cases.add(std::string(key) + " one off",
                      count == 2 ? "MODEL_FILE_UNSUPPORTED" : "MODEL_FILE_TENSOR_MISSING", [key, count] {
                          Shape shape{};
                          shape.layers = shape.decoder_layers = 3;
                          File file = tiny_t5::make(shape, 7).file;
                          file.entry(key) = u32(key, count);
                          return file.bytes();
                      });
        }
    }
    cases.add("a table of the cross-attention, as old checkpoints have", "nothing", [](File& file) {
        file.tensors.push_back({"dec.blk.0.cross_attn_rel_b.weight", GGML_TYPE_F32, {9, 3}, std::string(108, '\0')});
    });
    cases.add("a table of another block", "MODEL_FILE_UNSUPPORTED", [](File& file) {
        file.tensors.push_back({"dec.blk.1.attn_rel_b.weight", GGML_TYPE_F32, {9, 3}, std::string(108, '\0')});
    });
    cases.add("no unknown token", "MODEL_FILE_KEY_MISSING", [](File& file) {
        file.entries.erase(std::find_if(file.entries.begin(), file.entries.end(), [](const Entry& entry) {
            return entry.key == "tokenizer.ggml.unknown_token_id";
        }));
        file.entry("tokenizer.ggml.token_type") =
            array("tokenizer.ggml.token_type", GgufType::i32, std::vector<int32_t>(23, 1));
    });
    for (const char* const architecture : {"llama", "opt", "t5encoder", "clip", "bert", ""}) {
        cases.add(std::string("a T5 called ") + architecture, refused, [architecture](File& file) {
            file.entry("general.architecture") = string("general.architecture", architecture);
        });
    }
}

void change_opt(Cases& cases) {
    using tiny_opt::Shape;
    const auto add = [&](const std::string& name, const std::string& expected,
                         const std::function<void(Shape&)>& alter) {
        Shape shape{};
        alter(shape);
        cases.add(name, expected, [shape] { return tiny_opt::make(shape, 7).file.bytes(); });
    };
    add("projections", "nothing", [](Shape& s) { s.width = 7; });
    add("no biases", "nothing", [](Shape& s) { s.bias = false; });
    add("no final norm", "nothing", [](Shape& s) { s.final_norm = false; });
    add("post-norm", "nothing", [](Shape& s) { s.norm_before = false; });
    add("many layers", "MODEL_FILE_KEY_INVALID", [](Shape& s) { s.layers = 257; });
    add("unknown activation", "MODEL_FILE_UNSUPPORTED", [](Shape& s) { s.activation = "tanh"; });
    const auto alter = [&](const std::string& name, const std::string& expected, bool bias,
                           const std::function<void(File&)>& change) {
        cases.add(name, expected, [bias, change] {
            Shape shape{};
            shape.bias = bias;
            File file = tiny_opt::make(shape, 7).file;
            change(file);
            return file.bytes();
        });
    };
    alter("heads that do not divide", "MODEL_FILE_KEY_INVALID", true,
          [](File& file) { file.entry("opt.attention.head_count") = u32("opt.attention.head_count", 4); });
    alter("other heads", "nothing", true,
          [](File& file) { file.entry("opt.attention.head_count") = u32("opt.attention.head_count", 9); });
    alter("fewer blocks", "MODEL_FILE_UNSUPPORTED", true,
          [](File& file) { file.entry("opt.block_count") = u32("opt.block_count", 1); });
    alter("post-norm with a final norm", "MODEL_FILE_UNSUPPORTED", true,
          [](File& file) { file.entry("opt.do_layer_norm_before") = boolean("opt.do_layer_norm_before", false); });
    alter("fewer positions", "MODEL_FILE_TENSOR_INVALID", true,
          [](File& file) { file.entry("opt.context_length") = u32("opt.context_length", 63); });
    alter("one bias", "MODEL_FILE_TENSOR_MISSING", false, [](File& file) {
        file.tensors.push_back({"blk.1.attn_q.bias", GGML_TYPE_F32, {18}, std::string(72, '\0')});
    });
}

template <class Alter>
void change_all(File sound, const Alter& alter) {
    Cases cases(std::move(sound));
    alter(cases);
    cases.run();
}

constexpr ggml_type matrix_types[] = {GGML_TYPE_F32,  GGML_TYPE_F16,    GGML_TYPE_BF16,  GGML_TYPE_Q4_0,
                                      GGML_TYPE_Q4_1, GGML_TYPE_Q5_0,   GGML_TYPE_Q5_1,  GGML_TYPE_Q8_0,
                                      GGML_TYPE_Q2_K, GGML_TYPE_Q3_K,   GGML_TYPE_Q4_K,  GGML_TYPE_Q5_K,
                                      GGML_TYPE_Q6_K, GGML_TYPE_IQ4_NL, GGML_TYPE_IQ4_XS};

// Files of all types that `instructblip convert` and llama.cpp write, and of those that the graphs cannot have.
void change_types() {
    const auto add_all = [](Cases& cases) {
        for (int number = 0; number < GGML_TYPE_COUNT; ++number) {
            const auto type = static_cast<ggml_type>(number);
            const int64_t block = ggml_blck_size(type);
            if (block == 0) continue;
            const bool known =
                std::find(std::begin(matrix_types), std::end(matrix_types), type) != std::end(matrix_types);
            for (const bool tied : {false, true}) {
                tiny_t5::Shape t5{};
                t5.type = known ? type : GGML_TYPE_F32;
                t5.tied = tied;
                t5.layers = t5.decoder_layers = 1;
                t5.d_model = t5.d_ff = std::max<int64_t>(32, block);
                t5.d_kv = t5.d_model / 2;
                t5.heads = 2;
                tiny_opt::Shape opt{};
                opt.type = t5.type;
                opt.tied = tied;
                opt.layers = 1;
                opt.width = opt.ffn = t5.d_model;
                opt.heads = 2;
                opt.head_size = t5.d_model / 2;
                const auto add = [&](const std::string& name, const auto& make) {
                    cases.add(name + " of " + ggml_type_name(type), known ? "nothing" : "MODEL_FILE_UNSUPPORTED",
                              [make, type] {
                                  File file = make();
                                  for (Tensor& tensor : file.tensors) {
                                      if (tensor.shape.size() < 2 || tensor.shape.back() < 32) continue;
                                      tensor.type = type;
                                      refit(tensor);
                                  }
                                  return file.bytes();
                              });
                };
                add("T5", [t5] { return tiny_t5::make(t5, 5).file; });
                add("OPT", [opt] { return tiny_opt::make(opt, 5).file; });
            }
        }
    };
    change_all({}, add_all);
}

void random_shapes() {
    const auto add_all = [](Cases& cases) {
        std::mt19937 random(4);
        const auto pick = [&](int64_t smallest, int64_t largest) {
            return std::uniform_int_distribution<int64_t>(smallest, largest)(random);
        };
        for (size_t i = 0; i < 200 / stride; ++i) {
            tiny_t5::Shape t5{};
            tiny_opt::Shape opt{};
            t5.type = opt.type = pick(0, 1) == 0 ? GGML_TYPE_F32 : GGML_TYPE_F16;
            t5.d_model = opt.width = pick(1, 40);
            t5.heads = opt.heads = pick(1, 6);
            t5.d_kv = opt.head_size = pick(1, 12);
            t5.d_ff = opt.ffn = pick(1, 40);
            t5.layers = opt.layers = pick(1, 3);
            t5.decoder_layers = pick(1, 3);
            t5.buckets = pick(4, 40);
            t5.max_distance = pick(t5.buckets / 2 + 1, 200);
            t5.tied = opt.tied = pick(0, 1) == 0;
            t5.gated = opt.bias = pick(0, 1) == 0;
            opt.norm_before = pick(0, 1) == 0;
            opt.final_norm = pick(0, 1) == 0;
            cases.add("random T5 " + std::to_string(i), "nothing", [t5] { return tiny_t5::make(t5, 8).file.bytes(); });
            cases.add("random OPT " + std::to_string(i), "nothing",
                      [opt] { return tiny_opt::make(opt, 8).file.bytes(); });
        }
    };
    change_all({}, add_all);
}

LanguageModelFile read_file(const File& contents) {
    const TemporaryFile file(contents.bytes());
    return LanguageModelFile::read(GgufFile::open(file.path()));
}

instructblip::Vocabulary vocabulary_of(const LanguageModelFile& file) {
    return file.vocabulary ? *file.vocabulary : instructblip::Vocabulary{};
}

// What the tokenizers in TypeScript get.
void test_vocabularies() {
    File contents = tiny_t5::make({}, 9).file;
    const auto remove = [](File& file, const std::string& key) {
        file.entries.erase(std::find_if(file.entries.begin(), file.entries.end(),
                                        [&](const Entry& entry) { return entry.key == key; }));
    };
    LanguageModelFile file = read_file(contents);
    CHECK(file.model_type == "t5" && file.vocabulary_size == 23 && file.embedding_length == 12);
    CHECK(file.eos_token == 1 && file.vocabulary.has_value());
    const instructblip::Vocabulary t5 = vocabulary_of(file);
    CHECK(t5.kind == "t5" && t5.tokens.size() == 23 && t5.tokens[2] == "<unk>" && t5.types[0] == 3 &&
          t5.types[22] == 1);
    CHECK(t5.scores.size() == 23 && t5.scores[3] == -1.5F && t5.merges.empty());
    CHECK((t5.charsmap == std::vector<uint8_t>{4, 0, 0, 0, 0, 0, 0, 0, 'x', 0}));
    CHECK(t5.add_space_prefix && t5.remove_extra_whitespaces && t5.unk_token == 2 && t5.eos_token == 1);
    for (const char* const key :
         {"add_space_prefix", "remove_extra_whitespaces", "unknown_token_id", "eos_token_id", "precompiled_charsmap"}) {
        remove(contents, std::string("tokenizer.ggml.") + key);
    }
    const instructblip::Vocabulary bare = vocabulary_of(read_file(contents));
    CHECK(bare.add_space_prefix && bare.remove_extra_whitespaces && bare.charsmap.empty());
    CHECK(bare.unk_token == 2 && bare.eos_token == -1);  // by its type

    contents = tiny_opt::make({}, 9).file;
    file = read_file(contents);
    CHECK(file.model_type == "opt" && file.vocabulary_size == 21 && file.embedding_length == 18);
    const instructblip::Vocabulary opt = vocabulary_of(file);
    CHECK(opt.kind == "gpt2" && opt.merges.size() == 2 && opt.scores.empty() && opt.charsmap.empty());
    CHECK(!opt.add_space_prefix && !opt.remove_extra_whitespaces && opt.unk_token == 2);
    remove(contents, "tokenizer.ggml.unknown_token_id");
    CHECK(vocabulary_of(read_file(contents)).unk_token == -1);
}

// Either model may have either tokenizer.
void test_other_tokenizers() {
    const auto swap_tokenizer = [](File file, const File& other, size_t tokens) {
        file.entries.erase(std::remove_if(file.entries.begin(), file.entries.end(),
                                          [](const Entry& entry) { return entry.key.rfind("tokenizer.", 0) == 0; }),
                           file.entries.end());
        for (const Entry& entry : other.entries) {
            if (entry.key.rfind("tokenizer.", 0) == 0) file.entries.push_back(entry);
        }
        const LanguageModelFile read = read_file(file);
        CHECK(vocabulary_of(read).tokens.size() == tokens);
        run_model(read, GGML_TYPE_F32);
        return vocabulary_of(read).kind;
    };
    tiny_opt::Shape shape{};
    shape.vocabulary = 23;
    const File opt = tiny_opt::make(shape, 9).file;
    const File t5 = tiny_t5::make({}, 9).file;
    CHECK(swap_tokenizer(t5, opt, 23) == "gpt2");
    CHECK(swap_tokenizer(opt, t5, 23) == "t5");
}

}  // namespace

int main() {
    graph_language_model::start_engine();
    test_vocabularies();
    change_all(tiny_t5::make({}, 9).file, change_t5);
    change_all(tiny_opt::make({}, 9).file, change_opt);
    change_types();
    random_shapes();
    test_other_tokenizers();
    return check::report();
}
