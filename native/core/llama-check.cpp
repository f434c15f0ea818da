#include "llama-check.h"

#include <limits>
#include <unordered_set>
#include <vector>

#include "error.h"
#include "llama-keys.h"
#include "llama-vocabulary-check.h"

namespace instructblip {
namespace {

// Upper bounds: libllama's own for layers, elsewhere far above any model; products of two stay below 2^32, in which
// libllama computes.
constexpr int64_t most_layers = 512;
constexpr int64_t largest_embedding = 1 << 20;
constexpr int64_t most_heads = 1 << 14;
constexpr int64_t largest_head = 1 << 14;
constexpr int64_t largest_feed_forward = 1 << 24;
constexpr int64_t most_file_types = 1 << 10;
constexpr int64_t any_u32 = std::numeric_limits<uint32_t>::max();
constexpr int64_t any_position = std::numeric_limits<int32_t>::max();
constexpr float any_f32 = std::numeric_limits<float>::max();

constexpr uint64_t engine_alignment = 32;  // bytes, of a tensor in a mapped file (asserted by ggml's CPU buffers)

using Shape = std::vector<int64_t>;

void check_architecture(const LlamaKeys& keys) {
    const std::string& architecture = keys.file().require_string("general.architecture");
    if (architecture == "llama") return;
    keys.throw_unsupported("general.architecture is '" + architecture.substr(0, 60) + "', not 'llama'. " +
                           (architecture == "clip" ? "Are the two files swapped?"
                                                   : "Use a Vicuna, or convert an InstructBLIP checkpoint"));
}

[[noreturn]] void throw_corrupt(const GgufFile& file, const std::string& problem) {
    throw ModelError("MODEL_FILE_CORRUPT",
                     "model file " + file.path() + " is damaged: " + problem + ". Convert the checkpoint again");
}

// The engine wants each tensor right after the one before it, and all of them aligned for its buffers.
void check_places(const GgufFile& file) {
    uint64_t expected = file.data_offset();
    for (const GgufTensor& tensor : file.tensors()) {
        if (tensor.offset != expected) {
            throw_corrupt(file, "tensor '" + tensor.name + "' starts at byte " + std::to_string(tensor.offset) +
                                    ", expected " + std::to_string(expected));
        }
        if (tensor.offset % engine_alignment != 0) {
            throw_corrupt(file, "tensor '" + tensor.name + "' starts at byte " + std::to_string(tensor.offset) +
                                    ", no multiple of " + std::to_string(engine_alignment));
        }
        const uint64_t mask = file.alignment() - 1;
        expected += (tensor.byte_length + mask) & ~mask;
    }
}

void check_general_keys(const LlamaKeys& keys) {
    keys.u32_or("general.file_type", 0, 0, most_file_types - 1);
    keys.check_type("split.count", GgufType::u16);  // more than one part is refused when the file is opened
    keys.check_type("general.name", GgufType::string);
}

// What makes a `llama` file something else than one causal, dense decoder.
void check_kind(const LlamaKeys& keys) {
    for (const char* const key : {"llama.expert_count", "llama.expert_used_count", "llama.expert_group_count",
                                  "llama.expert_group_used_count", "llama.nextn_predict_layers"}) {
        const int64_t count = keys.u32_or(key, 0, 0, any_u32);
        if (count != 0) {
            keys.throw_unsupported(std::string("key '") + key + "' is " + std::to_string(count) +
                                   "; mixtures of experts and extra prediction layers cannot be run");
        }
    }
    keys.check_type("llama.attention.causal", GgufType::boolean);
    if (keys.has("llama.attention.causal") && !keys.file().require_bool("llama.attention.causal")) {
        keys.throw_unsupported("key 'llama.attention.causal' is false: it is an encoder");
    }
    if (keys.u32_or("llama.pooling_type", 0, 0, any_u32) != 0 || keys.has("llama.classifier.output_labels")) {
        keys.throw_unsupported("it pools or classifies (keys 'llama.pooling_type', 'llama.classifier.output_labels')");
    }
}

void read_sizes(const LlamaKeys& keys, LlamaFacts& facts) {
    facts.context_length = keys.require_u32("llama.context_length", 1, any_position);
    facts.embedding_length = keys.require_u32("llama.embedding_length", 1, largest_embedding);
    keys.u32_or("llama.embedding_length_out", 0, facts.embedding_length, facts.embedding_length);
    facts.block_count = keys.require_u32("llama.block_count", 1, most_layers);
    const auto of_layers = [&](const char* key, int64_t maximum) {
        return keys.require_of_layers(key, facts.block_count, 1, maximum);
    };
    facts.feed_forward_length = of_layers("llama.feed_forward_length", largest_feed_forward);
    facts.head_count = of_layers("llama.attention.head_count", most_heads);
    facts.head_count_kv =
        keys.of_layers_or("llama.attention.head_count_kv", facts.head_count, facts.block_count, 1, facts.head_count);
    if (facts.head_count % facts.head_count_kv != 0) {
        keys.throw_invalid("llama.attention.head_count_kv",
                           "a divisor of the " + std::to_string(facts.head_count) + " heads");
    }
    facts.rms_eps = keys.require_f32("llama.attention.layer_norm_rms_epsilon", 0, 1);
}

// Keys and values of a head are equally long, and turned over their whole length.
void read_head(const LlamaKeys& keys, LlamaFacts& facts) {
    const char* const key_length = "llama.attention.key_length";
    if (!keys.has(key_length) && facts.embedding_length % facts.head_count != 0) {
        keys.throw_invalid("llama.attention.head_count",
                           "a divisor of llama.embedding_length " + std::to_string(facts.embedding_length));
    }
    const int64_t standard = facts.embedding_length / facts.head_count;
    facts.key_length = keys.u32_or(key_length, standard, 2, largest_head);
    if (facts.key_length % 2 != 0 || facts.key_length < 2 || facts.key_length > largest_head) {
        keys.throw_unsupported("its heads have " + std::to_string(facts.key_length) + " values; an even number, 2.." +
                               std::to_string(largest_head) + ", is needed");
    }
    facts.value_length = facts.key_length;
    const char* const value_length = "llama.attention.value_length";
    if (keys.has(value_length)) {
        keys.require_u32(value_length, facts.key_length, facts.key_length);
    } else if (standard != facts.key_length) {
        keys.throw_invalid(key_length, std::to_string(standard) + ", because llama.attention.value_length is missing");
    }
    keys.u32_or("llama.rope.dimension_count", 0, facts.key_length, facts.key_length);
    for (const char* const key :
         {"llama.attention.key_length_swa", "llama.attention.value_length_swa", "llama.rope.dimension_count_swa"}) {
        keys.check_type(key, GgufType::u32);  // read, but without effect
    }
}

// Returns the kind of position scaling.
std::string read_rope(const LlamaKeys& keys, LlamaFacts& facts) {
    facts.rope_freq_base = keys.f32_or("llama.rope.freq_base", 10000, 0, any_f32);
    const char* const kind_key = "llama.rope.scaling.type";
    const std::string kind = keys.string_or(kind_key, "linear");
    if (kind != "none" && kind != "linear" && kind != "yarn" && kind != "longrope") {
        keys.throw_invalid(kind_key, "'none', 'linear', 'yarn' or 'longrope'");
    }
    for (const char* const key : {"llama.rope.scaling.factor", "llama.rope.scale_linear"}) {
        const float smallest = -std::numeric_limits<float>::denorm_min();  // 0 stands for none
        keys.f32_or(key, 0, smallest, any_f32);
    }
    keys.f32_or("llama.rope.scaling.attn_factor", 1, 0, any_f32);
    keys.f32_or("llama.rope.scaling.alpha", 0, -any_f32, any_f32);
    keys.u32_or("llama.rope.scaling.original_context_length", 1, 1, any_position);
    keys.check_type("llama.rope.scaling.finetuned", GgufType::boolean);
    return kind;
}

// The types that every backend's fallback, the CPU, looks rows up in and multiplies with. The others that ggml knows
// (integers, f64, Q8_1, Q8_K) are types of intermediate results.
bool is_matrix_type(ggml_type type) {
    switch (type) {
        case GGML_TYPE_Q8_1:
        case GGML_TYPE_Q8_K:
        case GGML_TYPE_I8:
        case GGML_TYPE_I16:
        case GGML_TYPE_I32:
        case GGML_TYPE_I64:
        case GGML_TYPE_F64:
            return false;
        default:
            return true;
    }
}

// Trailing dimensions of one (leading ones, in PyTorch order) mean nothing to the engine.
bool same_shape(const Shape& a, const Shape& b) {
    const auto start = [](const Shape& shape) {
        size_t i = 0;
        while (i < shape.size() && shape[i] == 1) ++i;
        return shape.begin() + static_cast<std::ptrdiff_t>(i);
    };
    return std::vector<int64_t>(start(a), a.end()) == std::vector<int64_t>(start(b), b.end());
}

// The tensors, one by one, and that there are no others: libllama loads no file with tensors that it has no use for.
class TensorCheck {
  public:
    TensorCheck(const LlamaKeys& keys, const LlamaFacts& facts, std::string rope_kind)
        : keys_(keys), file_(keys.file()), facts_(facts), rope_kind_(std::move(rope_kind)) {}

    // Returns whether the output matrix is the embedding.
    bool run() {
        const int64_t width = facts_.embedding_length;
        matrix("token_embd.weight", {facts_.vocabulary_size, width});
        vector("output_norm.weight", {width});
        const bool tied = file_.find_tensor("output.weight") == nullptr;
        if (!tied) check_output();
        const Shape frequencies = {facts_.key_length / 2};
        if (rope_kind_ == "longrope") {
            optional_vector("rope_factors_long.weight", frequencies);
            optional_vector("rope_factors_short.weight", frequencies);
        } else {
            optional_vector("rope_freqs.weight", frequencies);
        }
        for (int64_t layer = 0; layer < facts_.block_count; ++layer) check_layer("blk." + std::to_string(layer) + ".");
        check_no_others();
        return tied;
    }

  private:
    void check_output() {
        matrix("output.weight", {facts_.vocabulary_size, facts_.embedding_length});
        if (file_.find_tensor("output.weight")->type == GGML_TYPE_NVFP4) scales("output");
    }

    void check_layer(const std::string& layer) {
        const int64_t width = facts_.embedding_length;
        const int64_t inner = facts_.feed_forward_length;
        const int64_t queries = facts_.head_count * facts_.key_length;
        vector(layer + "attn_norm.weight", {width});
        check_attention_inputs(layer);
        linear(layer + "attn_output", width, queries);
        vector(layer + "ffn_norm.weight", {width});
        linear(layer + "ffn_gate", inner, width);
        linear(layer + "ffn_up", inner, width);
        linear(layer + "ffn_down", width, inner);
    }

    // Queries, keys and values: three matrices, or one of all their rows.
    void check_attention_inputs(const std::string& layer) {
        const int64_t width = facts_.embedding_length;
        const int64_t queries = facts_.head_count * facts_.key_length;
        const int64_t keys = facts_.head_count_kv * facts_.key_length;
        if (file_.find_tensor(layer + "attn_qkv.weight") == nullptr) {
            linear(layer + "attn_q", queries, width);
            linear(layer + "attn_k", keys, width);
            linear(layer + "attn_v", keys, width);
            return;
        }
        linear(layer + "attn_qkv", queries + 2 * keys, width);
        const bool separate = file_.find_tensor(layer + "attn_q.bias") != nullptr;
        if (separate && file_.find_tensor(layer + "attn_qkv.bias") == nullptr) {
            vector(layer + "attn_q.bias", {queries});
            vector(layer + "attn_k.bias", {keys});
            vector(layer + "attn_v.bias", {keys});
        }
    }

    // A matrix [rows, columns] with an optional bias [rows].
    void linear(const std::string& name, int64_t rows, int64_t columns) {
        matrix(name + ".weight", {rows, columns});
        optional_vector(name + ".bias", {rows});
        scales(name);
    }

    // Of types with one more scale per tensor.
    void scales(const std::string& name) {
        optional_vector(name + ".scale", {1});
        optional_vector(name + ".input_scale", {1});
    }

    void matrix(const std::string& name, const Shape& shape) {
        const GgufTensor& tensor = require(name, shape);
        if (is_matrix_type(tensor.type)) return;
        throw ModelError("MODEL_FILE_UNSUPPORTED",
                         "tensor '" + name + "' of " + file_.path() + " has type " + ggml_type_name(tensor.type) +
                             ", which cannot be multiplied with. Convert the checkpoint again");
    }

    // Norms and biases meet f32 rows; ggml has no kernels that mix them with other types.
    void vector(const std::string& name, const Shape& shape) {
        const GgufTensor& tensor = require(name, shape);
        if (tensor.type == GGML_TYPE_F32) return;
        throw ModelError("MODEL_FILE_TENSOR_INVALID", "tensor '" + name + "' of " + file_.path() + " has type " +
                                                          ggml_type_name(tensor.type) +
                                                          ", expected f32. Convert the checkpoint again");
    }

    void optional_vector(const std::string& name, const Shape& shape) {
        if (file_.find_tensor(name) != nullptr) vector(name, shape);
    }

    const GgufTensor& require(const std::string& name, const Shape& shape) {
        seen_.insert(name);
        const GgufTensor* const tensor = file_.find_tensor(name);
        if (tensor != nullptr && same_shape(tensor->shape, shape)) return *tensor;
        return file_.require_tensor(name, shape);  // says what is wrong
    }

    void check_no_others() const {
        for (const GgufTensor& tensor : file_.tensors()) {
            if (seen_.count(tensor.name) != 0) continue;
            keys_.throw_unsupported("tensor '" + tensor.name + "' has no place in a 'llama' model of " +
                                    std::to_string(facts_.block_count) + " layers");
        }
    }

    const LlamaKeys& keys_;
    const GgufFile& file_;
    const LlamaFacts& facts_;
    std::string rope_kind_;
    std::unordered_set<std::string> seen_;
};

}  // namespace

void check_llama_file_keys(const LlamaKeys& keys) {
    check_architecture(keys);
    check_general_keys(keys);
}

LlamaFacts check_llama(const GgufFile& file) {
    const LlamaKeys keys(file);
    check_llama_file_keys(keys);
    check_kind(keys);
    LlamaFacts facts{};
    facts.name = keys.string_or("general.name", "");
    read_sizes(keys, facts);
    read_head(keys, facts);
    const std::string rope_kind = read_rope(keys, facts);
    const LlamaVocabulary vocabulary = check_llama_vocabulary(keys);
    facts.vocabulary_size = vocabulary.size;
    facts.bos_token_id = vocabulary.bos_token_id;
    facts.eos_token_id = vocabulary.eos_token_id;
    facts.unk_token_id = vocabulary.unk_token_id;
    keys.u32_or("llama.vocab_size", vocabulary.size, vocabulary.size, vocabulary.size);
    facts.tied_output = TensorCheck(keys, facts, rope_kind).run();
    check_places(file);
    return facts;
}

}  // namespace instructblip
