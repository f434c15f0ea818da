// Damaged language model files, thousands of them.
#include <algorithm>
#include <random>

#include "language-model-cases.h"

using namespace language_model_cases;

namespace {

bool is_unread(const std::string& key) {
    return key == "tokenizer.chat_template";
}

// Keys that may have one value for each layer.
bool is_of_layers(const std::string& key) {
    return key == "llama.feed_forward_length" || key.rfind("llama.attention.head_count", 0) == 0;
}

bool is_required(const std::string& key) {
    for (const char* const required :
         {"general.architecture", "llama.context_length", "llama.embedding_length", "llama.block_count",
          "llama.feed_forward_length", "llama.attention.head_count", "llama.attention.layer_norm_rms_epsilon",
          "tokenizer.ggml.model", "tokenizer.ggml.tokens", "tokenizer.ggml.scores", "tokenizer.ggml.token_type"}) {
        if (key == required) return true;
    }
    return false;
}

void damage_keys(Cases& cases) {
    for (size_t i = 0; i < cases.sound().entries.size(); ++i) {
        const Entry entry = cases.sound().entries[i];
        cases.add(entry.key + " missing", is_required(entry.key) ? "MODEL_FILE_KEY_MISSING" : any,
                  [i](File& file) { file.entries.erase(file.entries.begin() + static_cast<std::ptrdiff_t>(i)); });
        for (const Entry& other : retyped(entry)) {
            const bool array = other.type == GgufType::array;
            const bool same = other.type == entry.type && !array;
            const bool may = same || is_unread(entry.key) || (array && is_of_layers(entry.key)) ||
                             (array && entry.type == GgufType::array);
            cases.add(entry.key + " as " + gguf_type_name(other.type), may ? any : refused,
                      [i, other](File& file) { file.entries[i] = other; });
        }
    }
}

void change_values(Cases& cases) {
    for (size_t i = 0; i < cases.sound().entries.size(); ++i) {
        const Entry entry = cases.sound().entries[i];
        int number = 0;
        for (const std::string& value : extremes(entry)) {
            cases.add(entry.key + " with extreme value " + std::to_string(number++), any,
                      [i, value](File& file) { file.entries[i].value = value; });
        }
    }
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
    const bool optional = tensor.name == "rope_freqs.weight" || tensor.name == "output.weight" ||
                          tensor.name.find(".bias") != std::string::npos;
    cases.add(tensor.name + " missing", optional ? "nothing" : "MODEL_FILE_TENSOR_MISSING",
              [i](File& file) { file.tensors.erase(file.tensors.begin() + static_cast<std::ptrdiff_t>(i)); });
    change("renamed", optional ? "MODEL_FILE_UNSUPPORTED" : "MODEL_FILE_TENSOR_MISSING",
           [](Tensor& t) { t.name += "x"; });
    for (uint32_t type = 0; type <= GGML_TYPE_COUNT; ++type) {
        change("of type " + std::to_string(type), any, [type](Tensor& t) { t.type = type; });
    }
    for (size_t axis = 0; axis < tensor.shape.size(); ++axis) {
        for (const int64_t by : {-1, 1, 32}) {
            change("resized", "MODEL_FILE_TENSOR_INVALID", [axis, by](Tensor& t) { t.shape[axis] += by; });
        }
    }
    const bool square = tensor.shape.size() == 2 && tensor.shape[0] == tensor.shape[1];
    const std::string transposed = tensor.shape.size() == 2 && !square ? "MODEL_FILE_TENSOR_INVALID" : "nothing";
    change("transposed", transposed, [](Tensor& t) { std::reverse(t.shape.begin(), t.shape.end()); });
    change("flat", tensor.shape.size() == 1 ? "nothing" : "MODEL_FILE_TENSOR_INVALID", [](Tensor& t) {
        int64_t values = 1;
        for (const int64_t length : t.shape) values *= length;
        t.shape = {values};
    });
    change("with a leading 1", "nothing", [](Tensor& t) { t.shape.insert(t.shape.begin(), 1); });
    change("with a last 1", "MODEL_FILE_TENSOR_INVALID", [](Tensor& t) { t.shape.push_back(1); });
    change("without dimensions", "MODEL_FILE_CORRUPT", [](Tensor& t) { t.shape = {0}; });
    change("of no numbers", "nothing", [](Tensor& t) { t.data.assign(t.data.size(), '\xFF'); });
}

void damage_tensors(Cases& cases) {
    for (size_t i = 0; i < cases.sound().tensors.size(); ++i) damage_tensor(cases, i);
    cases.add("a tensor more", "MODEL_FILE_UNSUPPORTED", [](File& file) {
        file.tensors.push_back({"blk.1.attn_norm.weight", GGML_TYPE_F32, {32}, std::string(128, '\0')});
    });
    cases.add("a scale", "nothing", [](File& file) {
        file.tensors.push_back({"blk.0.ffn_up.scale", GGML_TYPE_F32, {1}, std::string(4, '\0')});
    });
    cases.add("a scale of f16", "MODEL_FILE_TENSOR_INVALID", [](File& file) {
        file.tensors.push_back({"blk.0.ffn_up.scale", GGML_TYPE_F16, {1}, std::string(2, '\0')});
    });
    cases.add("other order", "nothing", [](File& file) { std::reverse(file.tensors.begin(), file.tensors.end()); });
    cases.add("no tensors", "MODEL_FILE_TENSOR_MISSING", [](File& file) { file.tensors.clear(); });
    cases.add("a tensor twice", "MODEL_FILE_CORRUPT", [](File& file) { file.tensors.push_back(file.tensors[3]); });
    for (const uint32_t alignment : {1U, 4U, 8U, 16U, 64U, 4096U}) {
        cases.add("alignment " + std::to_string(alignment), alignment >= 32 ? "nothing" : "MODEL_FILE_CORRUPT",
                  [alignment](File& file) {
                      file.alignment = alignment;
                      file.entry("general.alignment") = u32("general.alignment", alignment);
                      // Behind a norm's 32 floats and this, nothing is a multiple of 32 by chance.
                      file.tensors.insert(file.tensors.begin(), file.tensors.back());
                      file.tensors.pop_back();
                      file.entries.push_back(string("general.odd", "12345678901"));
                  });
    }
}

void truncate(Cases& cases) {
    const size_t size = cases.sound().bytes().size();
    const size_t header = cases.sound().header().size();
    for (size_t length = 0; length < size; length += (length < header ? 37 : 1499) * stride) {
        cases.add("cut at " + std::to_string(length), length < 4 ? "MODEL_FILE_NOT_GGUF" : "MODEL_FILE_CORRUPT",
                  [&cases, length] { return cases.sound().bytes().substr(0, length); });
    }
}

// One bit, and one byte with another one elsewhere, all over the header.
void flip_bytes(Cases& cases) {
    const std::string header = cases.sound().header();
    const size_t first_token = header.find("<unk>");
    const size_t last_token = header.find("tokenizer.ggml.bos_token_id");
    std::mt19937 random(1);
    for (size_t at = 0; at < header.size(); at += (at > first_token && at < last_token ? 11 : 2) * stride) {
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

}  // namespace

int main() {
    instructblip::initialize_engine(INSTRUCTBLIP_ENGINE_DIRECTORY, {});
    Cases cases(sound_file());
    cases.add("the sound file", "nothing", [](File&) {});
    damage_keys(cases);
    change_values(cases);
    damage_tensors(cases);
    truncate(cases);
    flip_bytes(cases);
    cases.run();
    return check::report();
}
