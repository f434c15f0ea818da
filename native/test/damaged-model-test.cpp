// Damaged mmproj files, hundreds of them: each ends in a ModelError, or loads and computes something. None crashes.
#include <cstdio>
#include <cstring>
#include <map>
#include <random>

#include "stages.h"

using namespace stages;
using namespace gguf_writer;

namespace {

tiny::Shape small_shape() {
    tiny::Shape shape{};
    shape.layers = 1;
    return shape;
}

class Damage {
  public:
    explicit Damage(Compute& compute) : compute_(compute), model_(tiny::make(small_shape(), 9)), file_("") {}

    const File& sound() const { return model_.file; }

    // Loads and runs both stages. The code of the error, or `nothing`.
    std::string run(const std::string& bytes) {
        ++variants_;
        file_.write(bytes);
        const std::string code = check::error_code([&] {
            Loaded loaded(file_.path(), compute_);
            loaded.query(loaded.encode(loaded.random_pixels()), {1, 0});
        });
        ++codes_[code];
        const bool typed =
            code == "nothing" || code.rfind("MODEL_FILE_", 0) == 0 ||
            (code == "OPTION_INVALID" || code == "CONTEXT_LENGTH_EXCEEDED");  // fewer ids than [1, 0] wants
        CHECK_THAT(typed, "variant " + std::to_string(variants_) + " ended in " + code);
        return code;
    }

    void expect(const std::string& code, const File& file, const std::string& what) {
        const std::string found = run(file.bytes());
        CHECK_THAT(found == code, what + ": expected " + code + ", got " + found);
    }

    void report() const {
        std::printf("%d variants:", variants_);
        for (const auto& [code, count] : codes_) std::printf(" %s %d", code.c_str(), count);
        std::printf("\n");
        CHECK(variants_ >= 300);
    }

  private:
    Compute& compute_;
    tiny::Model model_;
    TemporaryFile file_;
    int variants_ = 0;
    std::map<std::string, int> codes_;
};

// Keys that no reader of ours needs.
bool is_optional(const std::string& key) {
    return key == "general.type" || key == "general.file_type";
}

void damage_keys(Damage& damage) {
    const File sound = damage.sound();
    for (size_t i = 0; i < sound.entries.size(); ++i) {
        const std::string key = sound.entries[i].key;
        const std::string good = is_optional(key) ? "nothing" : "";
        File missing = sound;
        missing.entries.erase(missing.entries.begin() + static_cast<std::ptrdiff_t>(i));
        damage.expect(good.empty() ? "MODEL_FILE_KEY_MISSING" : good, missing, key + " missing");

        const std::vector<Entry> replacements = {
            sound.entries[i].type == GgufType::string ? u32(key, 1) : string(key, "text"),
            array<uint8_t>(key, GgufType::u8, {}),
            scalar<uint64_t>(key, GgufType::u64, ~uint64_t{0}),
            scalar<int8_t>(key, GgufType::i8, -5),
        };
        for (const Entry& replacement : replacements) {
            File mistyped = sound;
            mistyped.entries[i] = replacement;
            const std::string code = damage.run(mistyped.bytes());
            CHECK_THAT(is_optional(key) ? code == "nothing"
                                        : code == "MODEL_FILE_KEY_INVALID" ||
                                              (key == "instructblip.text.eos_token_ids" ||
                                               key == "instructblip.qformer.tokenizer.special_tokens"),  // may be empty
                       check::text(key, " as ", gguf_type_name(replacement.type), ": ", code));
        }
    }
}

// Every number one larger, one smaller, zero, doubled, negative.
void change_numbers(Damage& damage) {
    const File sound = damage.sound();
    for (size_t i = 0; i < sound.entries.size(); ++i) {
        if (sound.entries[i].type != GgufType::u32 && sound.entries[i].type != GgufType::i32) continue;
        uint32_t value = 0;
        std::memcpy(&value, sound.entries[i].value.data(), sizeof(value));
        for (const uint32_t other : {value + 1, value - 1, uint32_t{0}, value * 2, ~value, uint32_t{1} << 30}) {
            File changed = sound;
            changed.entries[i].value = Bytes().put(other).text();
            damage.run(changed.bytes());
        }
    }
}

void damage_tensors(Damage& damage) {
    const File sound = damage.sound();
    for (size_t i = 0; i < sound.tensors.size(); ++i) {
        const std::string name = sound.tensors[i].name;
        const auto change = [&](const std::string& code, auto alter) {
            File changed = sound;
            alter(changed.tensors[i]);
            damage.expect(code, changed, name);
        };
        File missing = sound;
        missing.tensors.erase(missing.tensors.begin() + static_cast<std::ptrdiff_t>(i));
        damage.expect("MODEL_FILE_TENSOR_MISSING", missing, name + " missing");
        change("MODEL_FILE_TENSOR_MISSING", [](Tensor& t) { t.name += "x"; });
        change("MODEL_FILE_TENSOR_INVALID", [](Tensor& t) {
            t.shape.back() *= 2;
            t.data += t.data;
        });
        // A fifth dimension is one more than the engine has.
        const bool full = sound.tensors[i].shape.size() == GGML_MAX_DIMS;
        change(full ? "MODEL_FILE_CORRUPT" : "MODEL_FILE_TENSOR_INVALID",
               [](Tensor& t) { t.shape.insert(t.shape.begin(), 1); });
        // i32 and f64 are types of the engine, but not of weights.
        const bool vector = name.find(".weight") == std::string::npos || sound.tensors[i].shape.size() == 1 ||
                            name == "v.position_embd.weight" || name == "v.proj_embd.position.weight";
        const std::string wrong_type = vector ? "MODEL_FILE_TENSOR_INVALID" : "MODEL_FILE_UNSUPPORTED";
        change(wrong_type, [](Tensor& t) { t.type = GGML_TYPE_I32; });
        change(wrong_type, [](Tensor& t) {
            t.type = GGML_TYPE_F64;
            t.data += t.data;
        });
        change("MODEL_FILE_CORRUPT", [](Tensor& t) { t.shape.back() = int64_t{1} << 62; });
        // Values that are no numbers are computed with all the same.
        change("nothing", [](Tensor& t) { t.data.assign(t.data.size(), '\xFF'); });
    }
}

void truncate(Damage& damage) {
    const std::string bytes = damage.sound().bytes();
    const size_t header = damage.sound().header().size();
    for (size_t length = 0; length < bytes.size(); length += length < header ? 61 : 997) {
        const std::string code = damage.run(bytes.substr(0, length));
        CHECK_THAT(code == (length < 4 ? "MODEL_FILE_NOT_GGUF" : "MODEL_FILE_CORRUPT"),
                   "cut at " + std::to_string(length) + ": " + code);
    }
}

void flip_bytes(Damage& damage) {
    const std::string sound = damage.sound().bytes();
    const size_t header = damage.sound().header().size();
    std::mt19937 random(1);
    for (size_t at = 0; at < header; at += 3) {
        std::string bytes = sound;
        bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(1U << (random() % 8)));
        damage.run(bytes);
        bytes[at] = static_cast<char>(random());
        bytes[random() % header] = static_cast<char>(random());
        damage.run(bytes);
    }
}

}  // namespace

int main() {
    start_engine();
    Compute compute("cpu", 1);
    Damage damage(compute);
    damage.expect("nothing", damage.sound(), "the sound file");
    damage_keys(damage);
    change_numbers(damage);
    damage_tensors(damage);
    truncate(damage);
    flip_bytes(damage);
    damage.report();
    return check::report();
}
