// Vision encoder, Q-Former and projection against plain loops in double precision, stage by stage, in odd shapes and
// all file types; and what they refuse.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "reference.h"
#include "stages.h"

using namespace stages;

namespace {

using tiny::Shape;

std::vector<Shape> shapes() {
    std::vector<Shape> all;
    const auto add = [&](const char* name, auto change) {
        Shape shape{};
        shape.name = name;
        change(shape);
        all.push_back(shape);
    };
    add("plain", [](Shape&) {});
    add("heads of 11, three", [](Shape& s) {
        s.heads = 3;
        s.head_size = 11;
        s.q_heads = 3;
        s.q_head_size = 5;
        s.image = 21;
        s.frequency = 1;
        s.layers = 1;
        s.q_layers = 3;
    });
    add("heads of 88, patch 14", [](Shape& s) {
        s.head_size = 88;
        s.image = 28;
        s.patch = 14;
        s.intermediate = 100;
        s.layers = 3;
        s.q_layers = 3;
    });
    add("one patch, one layer each", [](Shape& s) {
        s.image = 7;
        s.layers = 1;
        s.q_layers = 1;
        s.frequency = 3;
    });
    add("cross-attention every third", [](Shape& s) {
        s.q_layers = 5;
        s.frequency = 3;
        s.queries = 1;
    });
    // 9 and 13 layers: more than one graph holds.
    add("many layers", [](Shape& s) {
        s.layers = 9;
        s.q_layers = 13;
    });
    add("many layers, one cross-attention", [](Shape& s) {
        s.layers = 17;
        s.q_layers = 26;
        s.frequency = 40;
    });
    add("queries only", [](Shape& s) { s.text_input = false; });
    add("257 tokens", [](Shape& s) {
        s.image = 112;
        s.queries = 32;
        s.q_head_size = 16;
    });
    return all;
}

std::vector<int32_t> random_ids(const Shape& shape, int64_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_int_distribution<int32_t> id(0, static_cast<int32_t>(shape.vocabulary) - 1);
    std::vector<int32_t> ids(static_cast<size_t>(count));
    for (int32_t& value : ids) value = id(random);
    return ids;
}

// Largest difference, in parts of the reference's largest value.
template <class Values>
double error_of(const Values& ours, const reference::Values& wanted) {
    if (ours.size() != wanted.size()) return std::numeric_limits<double>::infinity();
    double difference = 0;
    double scale = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
        const double here = std::abs(static_cast<double>(ours[i]) - wanted[i]);
        if (!(here <= difference)) difference = here;  // NaN sticks
        scale = std::max(scale, std::abs(wanted[i]));
    }
    return difference / scale;
}

std::set<std::string> names_of(const std::map<std::string, reference::Values>& intermediates,
                               const std::string& stage) {
    std::set<std::string> names;
    for (const auto& [name, values] : intermediates) {
        const bool vision = name.compare(0, 7, "vision.") == 0;
        if (vision == (stage == "vision")) names.insert(name);
    }
    return names;
}

double compare_trace(const Trace& trace, const reference::Stages& wanted, const std::string& what, double tolerance) {
    double largest = 0;
    for (const auto& [name, tensor] : trace.tensors()) {
        const double error = error_of(tensor.data, wanted.intermediates().at(name));
        CHECK_THAT(error <= tolerance, check::text(what, ": ", name, " is off by ", error));
        size_t count = 1;
        for (const int64_t length : tensor.shape) count *= static_cast<size_t>(length);
        CHECK_THAT(count == tensor.data.size(), check::text(what, ": shape of ", name));
        largest = std::max(largest, error);
    }
    return largest;
}

// Both stages with all intermediates, and again without a trace: the results must be the same bits.
double compare(const Shape& shape, int64_t id_count, double tolerance, Compute& compute) {
    const std::string what =
        std::string(shape.name) + ", " + ggml_type_name(shape.type) + ", " + std::to_string(id_count) + " ids";
    const tiny::Model model = tiny::make(shape, 42);
    const gguf_writer::TemporaryFile file(model.file.bytes());
    Loaded loaded(file.path(), compute);
    const std::vector<float> pixels = loaded.random_pixels();
    const std::vector<int32_t> ids = random_ids(shape, id_count, 3);

    reference::Stages wanted(model);
    const reference::Values features_wanted = wanted.encode(pixels);
    Trace vision_trace(names_of(wanted.intermediates(), "vision"));
    const std::vector<float> features = loaded.encode(pixels, &vision_trace);
    vision_trace.require_complete();
    double largest = compare_trace(vision_trace, wanted, what, tolerance);
    CHECK_THAT(loaded.encode(pixels) == features, what + ": the trace changes the features");
    CHECK_THAT(error_of(features, features_wanted) <= tolerance, what + ": features");

    // From the same features, so that the Q-Former's own error shows.
    wanted.query(reference::Values(features.begin(), features.end()), ids);
    Trace query_trace(names_of(wanted.intermediates(), "qformer"));
    const std::vector<float> soft_tokens = loaded.query(features, ids, &query_trace);
    query_trace.require_complete();
    largest = std::max(largest, compare_trace(query_trace, wanted, what, tolerance));
    CHECK_THAT(loaded.query(features, ids) == soft_tokens, what + ": the trace changes the soft tokens");
    CHECK_THAT(error_of(soft_tokens, wanted.intermediates().at("projection.output")) <= tolerance,
               what + ": soft tokens");
    return largest;
}

void test_f32(Compute& compute) {
    double largest = 0;
    for (const Shape& shape : shapes()) {
        for (const int64_t ids : {int64_t{0}, int64_t{1}, int64_t{5}, shape.context}) {
            largest = std::max(largest, compare(shape, ids, 1e-5, compute));
        }
    }
    std::printf("f32: largest error %.2g of the scale\n", largest);
}

// Products round their right side to the weight's own kind of number: what is left is that rounding.
void test_types(Compute& compute) {
    struct Case {
        ggml_type type;
        double tolerance;
    };
    for (const Case& c : {Case{GGML_TYPE_F16, 1e-3}, Case{GGML_TYPE_BF16, 1e-2}, Case{GGML_TYPE_Q8_0, 3e-2},
                          Case{GGML_TYPE_Q4_0, 3e-2}, Case{GGML_TYPE_Q5_1, 3e-2}, Case{GGML_TYPE_Q4_K, 3e-2}}) {
        Shape odd = shapes()[1];
        odd.type = c.type;
        Shape even{};
        even.name = "multiples of 32";
        even.type = c.type;
        even.heads = 8;
        even.head_size = 32;
        even.intermediate = 512;
        even.q_heads = 4;
        even.q_head_size = 64;
        even.q_intermediate = 256;
        even.language = 64;
        const double largest = std::max(compare(odd, 5, c.tolerance, compute), compare(even, 5, c.tolerance, compute));
        std::printf("%s: largest error %.2g of the scale\n", ggml_type_name(c.type), largest);
    }
}

void test_batch(Compute& compute) {
    const tiny::Model model = tiny::make(Shape{}, 1);
    const gguf_writer::TemporaryFile file(model.file.bytes());
    Loaded loaded(file.path(), compute);
    const std::vector<float> pixels = loaded.random_pixels(5, 3);
    const std::vector<float> together = loaded.encode(pixels);
    const auto picture = static_cast<std::ptrdiff_t>(loaded.vision_config.pixel_count());
    std::vector<float> one_by_one;
    for (std::ptrdiff_t i = 0; i < 3; ++i) {
        const auto features = loaded.encode({pixels.begin() + i * picture, pixels.begin() + (i + 1) * picture});
        one_by_one.insert(one_by_one.end(), features.begin(), features.end());
    }
    CHECK(together == one_by_one);
    CHECK(loaded.encode({}).empty());
    Trace trace({"vision.embeddings"});
    CHECK_ERROR("OPTION_INVALID", "one picture", loaded.encode(pixels, &trace));
}

// A convolution leaves out the pixels that fill no whole patch: the picture is its cut top left.
void test_incomplete_patches(Compute& compute) {
    Shape shape{};
    shape.image = 17;
    const tiny::Model whole = tiny::make(shape, 1);
    const gguf_writer::TemporaryFile whole_file(whole.file.bytes());
    Loaded uncut(whole_file.path(), compute);
    shape.image = 14;
    const tiny::Model cut = tiny::make(shape, 1);
    const gguf_writer::TemporaryFile cut_file(cut.file.bytes());
    Loaded inner(cut_file.path(), compute);

    const std::vector<float> pixels = uncut.random_pixels();
    std::vector<float> top_left;
    for (std::ptrdiff_t row = 0; row < 3 * 17; ++row) {
        if (row % 17 >= 14) continue;
        top_left.insert(top_left.end(), pixels.begin() + row * 17, pixels.begin() + row * 17 + 14);
    }
    CHECK(uncut.encode(pixels) == inner.encode(top_left));
}

void test_refusals(Compute& compute) {
    const tiny::Model model = tiny::make(Shape{}, 1);
    const gguf_writer::TemporaryFile file(model.file.bytes());
    Loaded loaded(file.path(), compute);
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        std::vector<float> pixels = loaded.random_pixels();
        pixels[17] = bad;
        CHECK_ERROR("IMAGE_INPUT_INVALID", "17", loaded.encode(pixels));
    }
    const std::vector<float> features = loaded.encode(loaded.random_pixels());
    CHECK_ERROR("OPTION_INVALID", "-1", loaded.query(features, {1, -1}));
    CHECK_ERROR("OPTION_INVALID", "13", loaded.query(features, {1, 13}));
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", "10 tokens", loaded.query(features, std::vector<int32_t>(10, 1)));
    // Features may hold anything: no crash, numbers or not.
    loaded.query(std::vector<float>(features.size(), std::numeric_limits<float>::quiet_NaN()), {1, 2});
    loaded.query(std::vector<float>(features.size(), 1e38F), {1, 2});
    Trace trace({"vision.layer-0", "vision.nonsense"});
    loaded.encode(loaded.random_pixels(), &trace);
    CHECK_ERROR("OPTION_INVALID", "vision.nonsense", trace.require_complete());
}

// Steps inside layers, which the reference does not keep, have their names and shapes.
void test_steps(Compute& compute) {
    const Shape shape{};
    const tiny::Model model = tiny::make(shape, 1);
    const gguf_writer::TemporaryFile file(model.file.bytes());
    Loaded loaded(file.path(), compute);
    const int64_t tokens = shape.tokens();
    const std::map<std::string, std::vector<int64_t>> vision = {
        {"vision.patches", {tokens - 1, 16}},
        {"vision.qkv-1", {tokens, 48}},
        {"vision.attention_scores-1", {2, tokens, tokens}},
        {"vision.attention_weights-0", {2, tokens, tokens}},
        {"vision.attention_context-0", {tokens, 16}},
        {"vision.attention_residual-0", {tokens, 16}},
        {"vision.ffn_act-1", {tokens, 24}},
    };
    const std::map<std::string, std::vector<int64_t>> qformer = {
        {"qformer.text_embeddings", {3, 16}},
        {"qformer.self_attention_weights-0", {2, 7, 7}},
        {"qformer.self_attention_weights-1", {2, 4, 7}},  // the last layer asks for the queries alone
        {"qformer.cross_attention_weights-0", {2, 4, tokens}},
        {"qformer.cross_attention_norm-0", {4, 16}},
        {"qformer.ffn_text_norm-0", {3, 16}},
        {"qformer.ffn_norm-1", {4, 16}},
    };
    const auto names = [](const auto& wanted) {
        std::set<std::string> keys;
        for (const auto& [name, dims] : wanted) keys.insert(name);
        return keys;
    };
    Trace vision_trace(names(vision));
    const std::vector<float> features = loaded.encode(loaded.random_pixels(), &vision_trace);
    Trace query_trace(names(qformer));
    loaded.query(features, {1, 2, 3}, &query_trace);
    for (const auto& [name, dims] : vision) {
        CHECK_THAT(vision_trace.tensors().count(name) == 1 && vision_trace.tensors().at(name).shape == dims, name);
    }
    for (const auto& [name, dims] : qformer) {
        CHECK_THAT(query_trace.tensors().count(name) == 1 && query_trace.tensors().at(name).shape == dims, name);
    }
    const auto& weights = vision_trace.tensors().at("vision.attention_weights-0").data;
    double total = 0;
    for (int64_t i = 0; i < tokens; ++i) total += static_cast<double>(weights[static_cast<size_t>(i)]);
    CHECK(std::abs(total - 1) < 1e-6);
}

// HF's forward of the stages: pictures of other sizes, masks, and what cannot be.
void test_forward(Compute& compute) {
    const tiny::Model model = tiny::make(Shape{}, 1);
    const gguf_writer::TemporaryFile file(model.file.bytes());
    Loaded loaded(file.path(), compute);
    const CancelToken never;
    const int64_t side = loaded.vision_config.image_size;
    const int64_t width = loaded.vision_config.hidden_size;
    const int64_t patch = loaded.vision_config.patch_size;
    const std::vector<float> pixels = loaded.random_pixels();
    const std::vector<float> features = loaded.encode(pixels);
    CHECK(loaded.vision->encode_sized(pixels.data(), {side, side}, never, nullptr) == features);
    const GridSize wide{patch, 3 * patch + 1};
    Trace pooled({"vision.pooler_output"});
    const std::vector<float> other = tiny::random_values(static_cast<size_t>(3 * wide.height * wide.width), 3);
    const auto size = loaded.vision->encode_sized(other.data(), wide, never, &pooled).size();
    CHECK(static_cast<int64_t>(size) == 4 * width && pooled.tensors().at("vision.pooler_output").shape[0] == width);
    CHECK_ERROR("OPTION_INVALID", "no whole patch",
                loaded.vision->encode_sized(other.data(), {patch - 1, 9}, never, nullptr));
    CHECK_ERROR("OPTION_INVALID", "more patches",
                loaded.vision->encode_sized(other.data(), {1 << 20, 1 << 20}, never, nullptr));

    const auto run = [&](const QFormerInput& input) {
        Trace trace({"projection.output"});
        loaded.qformer->run_whole(input, never, trace);
        return trace.tensors().at("projection.output").data;
    };
    const auto close = [](const std::vector<float>& one, const std::vector<float>& two) {
        return one.size() == two.size() && std::equal(one.begin(), one.end(), two.begin(),
                                                      [](float a, float b) { return std::abs(a - b) < 1e-5F; });
    };
    CHECK(close(run({features, {}, {}, {}, {}}), loaded.query(features, {})));
    // Hidden rows of the picture are as good as none.
    const std::vector<float> fewer(features.begin(), features.end() - width);
    std::vector<int32_t> mask(features.size() / static_cast<size_t>(width), 1);
    mask.back() = 0;
    CHECK(close(run({features, {}, {}, mask, {}}), run({fewer, {}, {}, {}, {}})));
    CHECK_ERROR("OPTION_UNSUPPORTED", "ffn_text", run({features, {1, 2}, {}, {}, {}}));
    CHECK_ERROR("OPTION_INVALID", "feature mask", run({features, {}, {}, {1}, {}}));
    CHECK_ERROR("OPTION_INVALID", "queries or ids", run({features, {}, {}, {}, std::vector<float>()}));
    CHECK_ERROR("OPTION_INVALID", "features", run({{}, {}, {}, {}, {}}));
}

// The stages hold the file's mapping, not the caller.
void test_lifetimes(Compute& compute) {
    const tiny::Model model = tiny::make(Shape{}, 1);
    auto file = std::make_unique<gguf_writer::TemporaryFile>(model.file.bytes());
    Loaded loaded(file->path(), compute);
    file.reset();
    loaded.file.reset();
    const std::vector<float> first = loaded.encode(loaded.random_pixels());
    CHECK(loaded.encode(loaded.random_pixels()) == first);
}

}  // namespace

int main() {
    start_engine();
    Compute compute("cpu", 2);
    test_f32(compute);
    test_types(compute);
    test_batch(compute);
    test_incomplete_patches(compute);
    test_refusals(compute);
    test_steps(compute);
    test_forward(compute);
    test_lifetimes(compute);
    return check::report();
}
