// Damaged T5 and OPT files, thousands of them.
#include <algorithm>
#include <random>

#include "graph-model-cases.h"

using namespace graph_model_cases;

namespace {

bool begins(const std::string& text, const std::string& part) {
    return text.rfind(part, 0) == 0;
}

bool is_optional_key(const std::string& key) {
    for (const char* const optional :
         {"general.name", "t5.context_length", "t5.decoder_block_count", "t5.attention.layer_norm_epsilon",
          "t5.decoder_start_token_id", "tokenizer.ggml.precompiled_charsmap", "tokenizer.ggml.remove_extra_whitespaces",
          "tokenizer.ggml.add_space_prefix", "tokenizer.ggml.pre", "tokenizer.ggml.eos_token_id",
          "tokenizer.ggml.unknown_token_id", "tokenizer.ggml.padding_token_id"}) {
        if (key == optional) return true;
    }
    return begins(key, "instructblip.");
}

bool is_integer(GgufType type) {
    return type <= GgufType::i32 || type == GgufType::u64 || type == GgufType::i64;
}

// Whether a value of this type may stand in for the key's own.
bool may_replace(const Entry& own, const Entry& other) {
    if (own.key == "general.name") return true;
    if (own.type == GgufType::array) return own.key == "tokenizer.ggml.merges" && other.type == GgufType::array;
    if (own.type == GgufType::f32) return other.type == GgufType::f32 || other.type == GgufType::f64;
    return own.type == other.type || (own.type == GgufType::u32 && is_integer(other.type));
}

void damage_keys(Cases& cases) {
    for (size_t i = 0; i < cases.sound().entries.size(); ++i) {
        const Entry entry = cases.sound().entries[i];
        cases.add(entry.key + " missing", is_optional_key(entry.key) ? "nothing" : "MODEL_FILE_KEY_MISSING",
                  [i](File& file) { file.entries.erase(file.entries.begin() + static_cast<std::ptrdiff_t>(i)); });
        for (const Entry& other : retyped(entry)) {
            const bool bytes = entry.key == "tokenizer.ggml.precompiled_charsmap" && other.type == GgufType::array;
            cases.add(entry.key + " as " + gguf_type_name(other.type),
                      bytes || may_replace(entry, other) ? any : "MODEL_FILE_KEY_INVALID",
                      [i, other](File& file) { file.entries[i] = other; });
        }
        int number = 0;
        for (const std::string& value : extremes(entry)) {
            cases.add(entry.key + " with extreme value " + std::to_string(number++), any,
                      [i, value](File& file) { file.entries[i].value = value; });
        }
        const auto put = [&](const Entry& other, const char* code) {
            cases.add(entry.key + " out of range", code, [i, other](File& file) { file.entries[i] = other; });
        };
        if (entry.type == GgufType::u32 && begins(entry.key, "tokenizer.") == false) {
            put(scalar<int64_t>(entry.key, GgufType::i64, -1), "MODEL_FILE_KEY_INVALID");
            put(scalar<uint64_t>(entry.key, GgufType::u64, ~uint64_t{0}), "MODEL_FILE_KEY_INVALID");
            put(scalar<int64_t>(entry.key, GgufType::i64, int64_t{1} << 31), "MODEL_FILE_KEY_INVALID");
        }
        if (entry.type != GgufType::f32) continue;
        for (const double value : {0.0, -1.0, 2.0, 1e300, -1e300, 1e-300, double{INFINITY}, std::nan("")}) {
            put(f64(entry.key, value), "MODEL_FILE_KEY_INVALID");
        }
    }
}

const char* expected_without(const std::string& tensor) {
    return tensor == "output.weight" ? "nothing" : "MODEL_FILE_TENSOR_MISSING";  // then the head is tied
}

// What a file says about a tensor of a type that a matrix, a table or a norm can or cannot have.
std::string expected_of_type(const Tensor& tensor, uint32_t type) {
    if (type == GGML_TYPE_F32) return "nothing";
    const bool known = type < GGML_TYPE_COUNT && ggml_blck_size(static_cast<ggml_type>(type)) > 0;
    if (!known) return "MODEL_FILE_UNSUPPORTED";
    if (tensor.shape.back() % ggml_blck_size(static_cast<ggml_type>(type)) != 0) return "MODEL_FILE_CORRUPT";
    if (tensor.shape.size() == 1) return "MODEL_FILE_TENSOR_INVALID";
    const auto kind = static_cast<ggml_type>(type);
    return kind == GGML_TYPE_F16 || kind == GGML_TYPE_BF16 ? "nothing" : "MODEL_FILE_UNSUPPORTED";
}

void damage_tensor(Cases& cases, size_t i) {
    const Tensor tensor = cases.sound().tensors[i];
    const auto change = [&](const std::string& what, const std::string& expected,
                            const std::function<void(Tensor&)>& alter) {
        cases.add(tensor.name + " " + what, expected, [i, alter](File& file) {
            alter(file.tensors[i]);
            refit(file.tensors[i]);
        });
    };
    cases.add(tensor.name + " missing", expected_without(tensor.name),
              [i](File& file) { file.tensors.erase(file.tensors.begin() + static_cast<std::ptrdiff_t>(i)); });
    change("renamed", tensor.name == "output.weight" ? "MODEL_FILE_UNSUPPORTED" : "MODEL_FILE_TENSOR_MISSING",
           [](Tensor& t) { t.name += "x"; });
    for (uint32_t type = 0; type <= GGML_TYPE_COUNT; ++type) {
        const std::string expected = expected_of_type(tensor, type);
        change("of type " + std::to_string(type), expected, [type](Tensor& t) { t.type = type; });
    }
    for (size_t axis = 0; axis < tensor.shape.size(); ++axis) {
        for (const int64_t by : {-1, 1, 32}) {
            change("resized", "MODEL_FILE_TENSOR_INVALID", [axis, by](Tensor& t) { t.shape[axis] += by; });
        }
        for (const int64_t absurd : {int64_t{1} << 31, int64_t{1} << 62, int64_t{-1}}) {
            cases.add(tensor.name + " of absurd size", "MODEL_FILE_CORRUPT",
                      [i, axis, absurd](File& file) { file.tensors[i].shape[axis] = absurd; });
        }
    }
    const bool square = tensor.shape.size() == 2 && tensor.shape[0] == tensor.shape[1];
    const bool flat = tensor.shape.size() == 1;
    change("transposed", square || flat ? "nothing" : "MODEL_FILE_TENSOR_INVALID",
           [](Tensor& t) { std::reverse(t.shape.begin(), t.shape.end()); });
    change("flat", flat ? "nothing" : "MODEL_FILE_TENSOR_INVALID", [](Tensor& t) {
        int64_t values = 1;
        for (const int64_t length : t.shape) values *= length;
        t.shape = {values};
    });
    change("with a first 1", "MODEL_FILE_TENSOR_INVALID", [](Tensor& t) { t.shape.insert(t.shape.begin(), 1); });
    change("with a last 1", "MODEL_FILE_TENSOR_INVALID", [](Tensor& t) { t.shape.push_back(1); });
    change("without dimensions", "MODEL_FILE_CORRUPT", [](Tensor& t) { t.shape = {0}; });
    change("of no numbers", "nothing", [](Tensor& t) { t.data.assign(t.data.size(), '\xFF'); });
}

void damage_tensors(Cases& cases) {
    for (size_t i = 0; i < cases.sound().tensors.size(); ++i) damage_tensor(cases, i);
    cases.add("a tensor more", "MODEL_FILE_UNSUPPORTED", [](File& file) {
        file.tensors.push_back({"something.weight", GGML_TYPE_F32, {32}, std::string(128, '\0')});
    });
    cases.add("other order", "nothing", [](File& file) { std::reverse(file.tensors.begin(), file.tensors.end()); });
    cases.add("no tensors", "MODEL_FILE_TENSOR_MISSING", [](File& file) { file.tensors.clear(); });
    cases.add("a tensor twice", "MODEL_FILE_CORRUPT", [](File& file) { file.tensors.push_back(file.tensors[3]); });
    for (const uint32_t alignment : {1U, 4U, 8U, 16U, 64U, 4096U}) {
        cases.add("alignment " + std::to_string(alignment), alignment >= 8 ? "nothing" : "MODEL_FILE_CORRUPT",
                  [alignment](File& file) {
                      file.alignment = alignment;
                      file.entries.push_back(u32("general.alignment", alignment));
                      file.entries.push_back(string("general.odd", "12345678901"));
                  });
    }
    cases.add("infinite weights", "nothing", [](File& file) {
        for (Tensor& tensor : file.tensors) {
            for (size_t at = 0; at + 4 <= tensor.data.size(); at += 4)
                tensor.data.replace(at, 4, "\x00\x00\x80\x7F", 4);
        }
    });
}

void damage_vocabulary(Cases& cases) {
    const auto put = [&](const std::string& what, const std::string& expected, const Entry& entry) {
        cases.add(entry.key + " " + what, expected, [entry](File& file) { file.entry(entry.key) = entry; });
    };
    const std::string prefix = "tokenizer.ggml.";
    const std::string invalid = "MODEL_FILE_KEY_INVALID";
    uint64_t count = 0;
    File sound = cases.sound();
    std::memcpy(&count, sound.entry(prefix + "tokens").value.data() + 4, sizeof(count));
    const bool unigram =
        sound.tensors.size() > 0 && sound.entry("general.architecture").value.find("t5") != std::string::npos;
    const auto texts = [](size_t n) { return std::vector<std::string>(n, "x"); };
    for (const size_t n : {count - 1, count + 1, 3 * count, uint64_t{1}}) {
        // The other arrays, or the embedding, do not fit.
        put("of another length", refused, array(prefix + "tokens", GgufType::string, texts(n)));
        put("of another length", invalid, array(prefix + "token_type", GgufType::i32, std::vector<int32_t>(n, 1)));
        if (unigram) put("of another length", invalid, array(prefix + "scores", GgufType::f32, std::vector<float>(n)));
    }
    put("empty", invalid, array(prefix + "tokens", GgufType::string, texts(0)));
    put("all alike", any, array(prefix + "tokens", GgufType::string, texts(count)));
    put("of integers", invalid, array(prefix + "tokens", GgufType::i32, std::vector<int32_t>(count)));
    for (const int32_t type : {-1, 7, 1 << 30}) {
        put("unknown", invalid, array(prefix + "token_type", GgufType::i32, std::vector<int32_t>(count, type)));
    }
    for (int32_t type = 0; type <= 5; ++type) {
        put("all alike", any, array(prefix + "token_type", GgufType::i32, std::vector<int32_t>(count, type)));
    }
    put("of bytes that are none", invalid, array(prefix + "token_type", GgufType::i32, std::vector<int32_t>(count, 6)));
    put("of floats", invalid, array(prefix + "token_type", GgufType::f32, std::vector<float>(count)));
    for (const char* const name : {"eos_token_id", "unknown_token_id"}) {
        put("outside", invalid, u32(prefix + name, static_cast<uint32_t>(count)));
        put("outside", invalid, i32(prefix + name, -1));
        put("last", "nothing", u32(prefix + name, static_cast<uint32_t>(count - 1)));
    }
    put("of another kind", "MODEL_FILE_UNSUPPORTED", string(prefix + "model", "llama"));
    put("of no kind", "MODEL_FILE_UNSUPPORTED", string(prefix + "model", ""));
    if (!unigram) {
        put("unknown", "MODEL_FILE_UNSUPPORTED", string(prefix + "pre", "llama-bpe"));
        put("of integers", invalid, array(prefix + "merges", GgufType::i32, std::vector<int32_t>(3)));
        return;
    }
    for (const float score : {INFINITY, -INFINITY, std::nanf("")}) {
        put("no numbers", invalid, array(prefix + "scores", GgufType::f32, std::vector<float>(count, score)));
    }
    put("beyond f32", invalid, array(prefix + "scores", GgufType::f64, std::vector<double>(count, 1e300)));
    put("of integers", invalid, array(prefix + "scores", GgufType::i32, std::vector<int32_t>(count)));
    put("as f64", "nothing", array(prefix + "scores", GgufType::f64, std::vector<double>(count, -2)));
    const std::string charsmap = prefix + "precompiled_charsmap";
    put("as i8", "nothing", array<int8_t>(charsmap, GgufType::i8, {4, 0, 0, 0, 0, 0, 0, 0}));
    put("empty", "nothing", array<uint8_t>(charsmap, GgufType::u8, {}));
    put("cut", invalid, array<uint8_t>(charsmap, GgufType::u8, {4, 0, 0}));
    put("without index", invalid, array<uint8_t>(charsmap, GgufType::u8, {0, 0, 0, 0, 1}));
    put("with half a unit", invalid, array<uint8_t>(charsmap, GgufType::u8, {6, 0, 0, 0, 1, 2, 3, 4, 5, 6}));
    put("longer than it is", invalid, array<uint8_t>(charsmap, GgufType::u8, {255, 255, 255, 255, 1, 2, 3, 4}));
    put("of u16", invalid, array<uint16_t>(charsmap, GgufType::u16, {4, 0, 0, 0}));
    put("of strings", invalid, array<std::string>(charsmap, GgufType::string, {"x"}));
}

void truncate(Cases& cases) {
    const size_t size = cases.sound().bytes().size() - cases.sound().alignment;  // before the padding at the end
    const size_t header = cases.sound().header().size();
    for (size_t length = 0; length < size; length += (length < header ? 11 : 97) * stride) {
        cases.add("cut at " + std::to_string(length), length < 4 ? "MODEL_FILE_NOT_GGUF" : "MODEL_FILE_CORRUPT",
                  [&cases, length] { return cases.sound().bytes().substr(0, length); });
    }
}

// One bit, and one byte with another one elsewhere, all over the header.
void flip_bytes(Cases& cases) {
    const std::string header = cases.sound().header();
    std::mt19937 random(1);
    for (size_t at = 0; at < header.size(); at += stride) {
        const auto bit = static_cast<char>(1U << (random() % 8));
        const auto byte = static_cast<char>(random());
        const size_t elsewhere = random() % header.size();
        const auto other = static_cast<char>(random());
        cases.add("flipped bit at " + std::to_string(at), any, [&cases, at, bit] {
            std::string bytes = cases.sound().bytes();
            bytes[at] = static_cast<char>(bytes[at] ^ bit);
            return bytes;
        });
        cases.add("changed bytes at " + std::to_string(at), any, [&cases, at, byte, elsewhere, other] {
            std::string bytes = cases.sound().bytes();
            bytes[at] = byte;
            bytes[elsewhere] = other;
            return bytes;
        });
    }
}

void damage_all(File sound) {
    Cases cases(std::move(sound));
    cases.add("the sound file", "nothing", [](File&) {});
    damage_keys(cases);
    damage_tensors(cases);
    damage_vocabulary(cases);
    truncate(cases);
    flip_bytes(cases);
    cases.run();
}

}  // namespace

int main() {
    graph_language_model::start_engine();
    tiny_t5::Shape t5{};
    t5.layers = 1;
    t5.decoder_layers = 1;
    tiny_opt::Shape opt{};
    opt.layers = 1;
    opt.width = 7;
    opt.tied = false;
    damage_all(tiny_t5::make(t5, 9).file);
    damage_all(tiny_opt::make(opt, 9).file);
    return check::report();
}
