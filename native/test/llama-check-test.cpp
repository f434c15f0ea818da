// What the check of a language model file reads from it, and how it says what is wrong.
#include "llama-check.h"

#include <cstring>

#include "check.h"
#include "gguf-writer.h"
#include "tiny-language-model.h"

using namespace instructblip;
using namespace gguf_writer;

namespace {

LlamaFacts check_file(const File& file) {
    const TemporaryFile written(file.bytes());
    return check_llama(*GgufFile::open(written.path()));
}

// The tiny file, altered.
template <class Alter>
LlamaFacts check_altered(const Alter& alter, const tiny_language::Shape& shape = {}) {
    File file = tiny_language::make(shape, 1);
    alter(file);
    return check_file(file);
}

LlamaFacts check_with(const Entry& entry) {
    return check_altered([&](File& file) {
        for (Entry& old : file.entries) {
            if (old.key == entry.key) old = entry;
        }
        if (file.entry(entry.key).value != entry.value) file.entries.push_back(entry);
    });
}

void erase_entry(File& file, const std::string& key) {
    for (auto entry = file.entries.begin(); entry != file.entries.end(); ++entry) {
        if (entry->key != key) continue;
        file.entries.erase(entry);
        return;
    }
}

void test_facts() {
    tiny_language::Shape shape{};
    shape.head_size = shape.value_size = 10;  // 4 heads of 10 in a hidden size of 32
    shape.layers = 2;
    const LlamaFacts facts = check_file(tiny_language::make(shape, 1));
    CHECK(facts.name == "tiny" && facts.embedding_length == 32 && facts.block_count == 2);
    CHECK(facts.head_count == 4 && facts.head_count_kv == 2 && facts.key_length == 10 && facts.value_length == 10);
    CHECK(facts.feed_forward_length == 64 && facts.context_length == 64 && facts.rms_eps == 1e-6F);
    CHECK(facts.vocabulary_size == static_cast<int64_t>(tiny_language::vocabulary().size()));
    CHECK(facts.bos_token_id == 1 && facts.eos_token_id == 2 && facts.unk_token_id == 0 && !facts.tied_output);
    shape.tied = true;
    CHECK(check_file(tiny_language::make(shape, 1)).tied_output);
}

void test_defaults() {
    const LlamaFacts facts = check_altered(
        [](File& file) {
            for (const char* const key :
                 {"general.name", "llama.attention.head_count_kv", "llama.rope.dimension_count",
                  "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.unknown_token_id"}) {
                erase_entry(file, key);
            }
        },
        [] {
            tiny_language::Shape shape{};
            shape.kv_heads = shape.heads;
            return shape;
        }());
    CHECK(facts.name.empty() && facts.head_count_kv == 4 && facts.key_length == 8 && facts.rope_freq_base == 10000);
    CHECK(facts.bos_token_id == 1 && facts.eos_token_id == 2 && facts.unk_token_id == 0);
    CHECK(check_with(f32("llama.rope.freq_base", 5e5F)).rope_freq_base == 5e5F);
    CHECK(check_with(u32("tokenizer.ggml.eos_token_id", 1)).eos_token_id == 1);
}

// Messages name the key, what it should be and what it is.
void test_messages() {
    const auto invalid = [](const Entry& entry, const std::string& part) {
        CHECK_ERROR("MODEL_FILE_KEY_INVALID", part, check_with(entry));
    };
    invalid(u32("llama.block_count", 513), "'llama.block_count' of ");
    invalid(u32("llama.block_count", 513), "must be a u32 in 1..512, not the u32 513");
    invalid(i32("llama.block_count", 1), "must be a u32 in 1..512, not the i32 1");
    invalid(string("llama.context_length", "long"), "not the string 'long'");
    invalid(string("llama.context_length", std::string(100, 'x')), "not the string '" + std::string(60, 'x') + "…'");
    invalid(array<float>("llama.embedding_length", GgufType::f32, {1, 2}), "not an array of 2 f32");
    invalid(f32("llama.attention.layer_norm_rms_epsilon", 0), "a finite f32 above 0, at most 1, not the f32 0");
    invalid(f64("llama.attention.layer_norm_rms_epsilon", 1e-6), "a finite f32 above 0");
    invalid(u32("llama.attention.head_count_kv", 3), "a divisor of the 4 heads, not the u32 3");
    invalid(u32("llama.rope.dimension_count", 6), "must be the u32 8, not the u32 6");
    invalid(u32("llama.vocab_size", 32000), "not the u32 32000");
    invalid(string("tokenizer.ggml.add_bos_token", "yes"), "of type bool, not the string 'yes'");
    invalid(u32("tokenizer.ggml.eos_token_id", 100000), "a u32 in 0..270, not the u32 100000");
    CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "Are the two files swapped?",
                check_with(string("general.architecture", "clip")));
    CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "'gpt2'; only 'llama'", check_with(string("tokenizer.ggml.model", "gpt2")));
    CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "'llama.expert_count' is 8", check_with(u32("llama.expert_count", 8)));
    CHECK_ERROR("MODEL_FILE_KEY_MISSING", "'tokenizer.ggml.scores'",
                check_altered([](File& file) { erase_entry(file, "tokenizer.ggml.scores"); }));
}

void test_vocabulary_messages() {
    const auto with_texts = [](auto alter) {
        std::vector<std::string> texts;
        for (const tiny_language::Token& token : tiny_language::vocabulary()) texts.push_back(token.text);
        alter(texts);
        return array("tokenizer.ggml.tokens", GgufType::string, texts);
    };
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "(1 and 2 are both '<s>')",
                check_with(with_texts([](auto& texts) { texts[2] = "<s>"; })));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "'<0x41>' is missing",
                check_with(with_texts([](auto& texts) { texts[3 + 'A'] = "AA"; })));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "one value for each token",
                check_with(with_texts([](auto& texts) { texts.emplace_back("one more"); })));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "(token 68 is 'A')",
                check_with(with_texts([](auto& texts) { texts[3 + 'A'] = "A"; })));
}

void test_tensor_messages() {
    CHECK_ERROR("MODEL_FILE_TENSOR_MISSING", "'blk.0.ffn_up.weight'",
                check_altered([](File& file) { file.tensor("blk.0.ffn_up.weight").name = "blk.0.ffn_up.kernel"; }));
    CHECK_ERROR("MODEL_FILE_TENSOR_INVALID", "has shape [64, 32], expected [32, 64]",
                check_altered([](File& file) { file.tensor("blk.0.ffn_down.weight").shape = {64, 32}; }));
    CHECK_ERROR("MODEL_FILE_TENSOR_INVALID", "has type f16, expected f32", check_altered([](File& file) {
                    Tensor& norm = file.tensor("output_norm.weight");
                    norm.type = GGML_TYPE_F16;
                    norm.data.resize(norm.data.size() / 2);
                }));
    CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "has type i32, which cannot be multiplied with",
                check_altered([](File& file) { file.tensor("output.weight").type = GGML_TYPE_I32; }));
    CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "'adapter.weight' has no place", check_altered([](File& file) {
                    file.tensors.push_back({"adapter.weight", GGML_TYPE_F32, {8}, std::string(32, '\0')});
                }));
}

// The engine wants tensors without gaps, the first at the start of the data. The gguf format alone does not.
void test_places() {
    File file = tiny_language::make({}, 1);
    const std::string sound = file.bytes();
    const std::string last = file.tensors.back().name;
    for (const std::string& name : {file.tensors.front().name, last}) {
        std::string bytes = sound;
        const size_t at = bytes.find(name) + name.size() + 4 + 16 + 4;  // dimensions, two lengths, type
        uint64_t offset = 0;
        std::memcpy(&offset, bytes.data() + at, sizeof(offset));
        offset = name == last ? offset + 32 : sound.size() - file.header().size() + 64;
        offset &= ~uint64_t{31};
        std::memcpy(bytes.data() + at, &offset, sizeof(offset));
        const TemporaryFile written(bytes + std::string(file.tensors.front().data.size() + 256, '\0'));
        const auto opened = GgufFile::open(written.path());
        CHECK_ERROR("MODEL_FILE_CORRUPT", "'" + name + "' starts at byte", check_llama(*opened));
    }
}

}  // namespace

int main() {
    test_facts();
    test_defaults();
    test_messages();
    test_vocabulary_messages();
    test_tensor_messages();
    test_places();
    return check::report();
}
