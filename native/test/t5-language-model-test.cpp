// T5's graph against loops in double precision: odd shapes, all activations, weight types, activations beyond F16's
// range, and the deepest models that a file may have.
#include <cstdio>
#include <set>

#include "gemm/engine-hook.h"
#include "graph-language-model.h"
#include "tiny-t5.h"

using namespace graph_language_model;
using tiny_t5::Shape;

namespace {

std::vector<Shape> shapes() {
    std::vector<Shape> result(7);
    result[0].name = "plain sizes";
    result[1] = {"gelu_new, tied, deeper encoder"};
    result[1].activation = "gelu_new";
    result[1].tied = true;
    result[1].layers = 4;
    result[1].decoder_layers = 1;
    result[2] = {"relu, no gate"};
    result[2].activation = "relu";
    result[2].gated = false;
    result[2].buckets = 6;
    result[2].max_distance = 7;
    result[3] = {"silu, no gate, tied, heads wider than the model"};
    result[3].activation = "silu";
    result[3].gated = false;
    result[3].tied = true;
    result[3].d_model = 7;
    result[3].heads = 5;
    result[3].d_kv = 4;
    result[3].d_ff = 3;
    result[4] = {"ones"};
    result[4].d_model = result[4].heads = result[4].d_kv = result[4].d_ff = 1;
    result[4].layers = result[4].decoder_layers = 1;
    result[4].buckets = 4;
    result[4].max_distance = 3;
    result[5] = {"llama.cpp's keys"};
    result[5].few_keys = true;
    result[5].max_distance = 128;
    result[5].buckets = 32;
    result[6] = {"multiples of 32"};
    result[6].d_model = 64;
    result[6].heads = 3;
    result[6].d_kv = 32;
    result[6].d_ff = 96;
    result[6].buckets = 32;
    result[6].max_distance = 128;
    return result;
}

Shape large_shape(ggml_type type) {
    Shape shape{"rows of 256"};
    shape.type = type;
    shape.d_model = 256;
    shape.heads = 2;
    shape.d_kv = 64;
    shape.d_ff = 256;
    shape.layers = 1;
    shape.decoder_layers = 1;
    shape.eps = 1e-6F;
    return shape;
}

struct Lengths {
    int64_t soft;
    size_t tokens;
    size_t answer;
};

double compare(const Shape& shape, const Lengths& lengths, double tolerance, Compute& compute, unsigned seed = 3) {
    const tiny_graph::Model model = tiny_t5::make(shape, seed);
    const Loaded loaded(model.file, compute);
    const language_reference::T5 reference(model, shape);
    const Input input{loaded.soft_tokens(lengths.soft, 1), random_tokens(lengths.tokens, 2, shape.vocabulary),
                      random_tokens(lengths.answer, 3, shape.vocabulary)};
    const std::vector<float> logits = loaded.logits(input);
    auto forward = loaded.forward(loaded.forward_input(input), {"encoder.output"});
    const std::string what = check::text(shape.name, " ", ggml_type_name(shape.type), " (", lengths.soft, " ",
                                         lengths.tokens, " ", lengths.answer, ")");
    const double encoded = error_of(forward.at("encoder.output").data, reference.encode(input));
    CHECK_THAT(encoded <= tolerance, check::text(what, ": encoder is off by ", encoded));
    const double error = error_of(logits, reference.logits(input));
    CHECK_THAT(error <= tolerance, check::text(what, ": logits are off by ", error));
    const double apart = error_of(loaded.last_row(forward.at("language.logits").data), logits);
    CHECK_THAT(apart <= tolerance, check::text(what, ": the forward pass is off by ", apart));
    return std::max(encoded, error);
}

void test_shapes(Compute& compute) {
    double largest = 0;
    for (const Shape& shape : shapes()) {
        for (const Lengths& lengths : {Lengths{4, 7, 1}, Lengths{0, 1, 1}, Lengths{1, 0, 3}, Lengths{5, 40, 30}}) {
            largest = std::max(largest, compare(shape, lengths, 2e-5, compute));
        }
    }
    std::printf("f32: largest error %.2g of the scale\n", largest);
}

// Products round their right side to the weight's own kind of number, which the reference does too. Where a number lies
// between two, it may go the other way there, and its successors then with it: not in every model.
void test_types(Compute& compute) {
    for (const ggml_type type :
         {GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1,
          GGML_TYPE_Q2_K, GGML_TYPE_Q4_K, GGML_TYPE_Q6_K, GGML_TYPE_IQ4_NL}) {
        double smallest = INFINITY;
        double largest = 0;
        for (unsigned seed = 1; seed <= 6; ++seed) {
            Shape shape = large_shape(type);
            shape.tied = seed % 2 == 0;
            const double error = compare(shape, {3, 8, 2}, 6e-2, compute, seed);
            smallest = std::min(smallest, error);
            largest = std::max(largest, error);
        }
        // With these, ggml keeps sums of x's blocks as F16 too, which the reference does not.
        const bool sums = type == GGML_TYPE_Q4_1 || type == GGML_TYPE_Q5_1;
        CHECK_THAT(smallest < (sums ? 1e-2 : 1e-4) || nodes_computed_by_kernels() > 0,
                   check::text(ggml_type_name(type), ": never closer than ", smallest));
        std::printf("%s: %.2g to %.2g of the scale\n", ggml_type_name(type), smallest, largest);
    }
}

// Inner activations of the feed-forwards beyond F16's 65504, as published models have them.
Shape overflowing(ggml_type type, bool gated, float factor) {
    Shape shape = large_shape(type);
    shape.gated = gated;
    shape.activation = gated ? "gelu_new" : "relu";
    shape.up_factor = factor;
    return shape;
}

Input plain_input(const Shape& shape) {
    return {{}, random_tokens(20, 2, shape.vocabulary), {0, 7}};
}

void test_large_activations(Compute& compute) {
    struct Case {
        ggml_type type;
        float factor;
        double tolerance;
    };
    // Weights of F16 cannot be larger themselves.
    for (const Case& c :
         {Case{GGML_TYPE_F32, 3e4F, 2e-5}, Case{GGML_TYPE_F32, 3e8F, 2e-5}, Case{GGML_TYPE_F16, 3e4F, 2e-3},
          Case{GGML_TYPE_BF16, 3e4F, 2e-2}, Case{GGML_TYPE_BF16, 3e8F, 2e-2}}) {
        for (const bool gated : {true, false}) {
            const Shape shape = overflowing(c.type, gated, c.factor);
            const tiny_graph::Model model = tiny_t5::make(shape, 3);
            CHECK(language_reference::T5(model, shape).largest_inner(plain_input(shape)) > 1e5);
            compare(shape, {4, 20, 2}, c.tolerance, compute);
        }
    }
}

// Matrices that are multiplied by powers of two, so that activations grow by what the results shrink again: the same
// model, the same rounding, whatever the type.
void test_scaled_twins(Compute& compute) {
    for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0,
                                 GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1, GGML_TYPE_Q2_K, GGML_TYPE_Q3_K,
                                 GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K, GGML_TYPE_IQ4_NL, GGML_TYPE_IQ4_XS}) {
        for (const bool gated : {true, false}) {
            if (!gated && type != GGML_TYPE_F16 && type != GGML_TYPE_Q8_0) continue;
            Shape large = overflowing(type, gated, 8192);
            large.norm_factor = 8;
            large.down_factor = 8;  // no scale of a block may be so small that F16 has fewer digits for it
            Shape small = large;
            std::swap(small.up_factor, small.down_factor);
            const tiny_graph::Model large_model = tiny_t5::make(large, 3);
            const tiny_graph::Model small_model = tiny_t5::make(small, 3);
            const Input input = plain_input(large);
            CHECK(language_reference::T5(large_model, large).largest_inner(input) > (gated ? 1e6 : 1e5));
            CHECK(language_reference::T5(small_model, small).largest_inner(input) < 6e4);
            const double error = error_of(Loaded(large_model.file, compute).logits(input),
                                          Loaded(small_model.file, compute).logits(input));
            CHECK_THAT(error < 1e-3, check::text(ggml_type_name(type), gated ? ", gated" : "", ": ", error,
                                                 " between large and small activations"));
        }
    }
}

// As deep as a file may be, with the activation that has the most nodes and all traces on.
void test_deepest(Compute& compute) {
    for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16}) {
        for (const char* const activation : {"gelu_new", "relu"}) {
            Shape shape{"deepest"};
            shape.type = type;
            shape.d_model = shape.d_ff = 4;
            shape.heads = 2;
            shape.d_kv = 2;
            shape.layers = shape.decoder_layers = 256;
            shape.activation = activation;
            const tiny_graph::Model model = tiny_t5::make(shape, 3);
            const Loaded loaded(model.file, compute, options_of(GGML_TYPE_F16));
            std::set<std::string> names = {"encoder.embeddings",    "encoder.relative_bias", "encoder.output",
                                           "decoder.relative_bias", "decoder.output",        "decoder.logits"};
            for (int i = 0; i < 256; ++i) {
                for (const char* const step :
                     {"encoder.self_norm", "encoder.self_residual", "encoder.ffn_inner", "encoder.layer",
                      "encoder.self_attention_scores", "encoder.self_attention_weights",
                      "encoder.self_attention_context", "decoder.self_residual", "decoder.cross_residual",
                      "decoder.ffn_inner", "decoder.layer", "decoder.self_attention_scores",
                      "decoder.self_attention_weights", "decoder.self_attention_context",
                      "decoder.cross_attention_scores", "decoder.cross_attention_weights",
                      "decoder.cross_attention_context"}) {
                    names.insert(std::string(step) + "-" + std::to_string(i));
                }
            }
            const Input input{loaded.soft_tokens(2, 1), {5, 6, 7}, {0, 4}};
            const std::vector<float> logits = loaded.logits(input);
            const auto forward = loaded.forward(loaded.forward_input(input), names);
            // The forward pass keeps keys and values in F32.
            const Loaded exact(model.file, compute, options_of(GGML_TYPE_F32));
            const double apart = error_of(loaded.last_row(forward.at("language.logits").data), exact.logits(input));
            CHECK_THAT(apart <= 1e-3, check::text("the forward pass of the deepest model is off by ", apart));
            CHECK(logits.size() == 23 &&
                  std::all_of(logits.begin(), logits.end(), [](float value) { return std::isfinite(value); }));
        }
    }
}

// More rows than one graph computes, on both sides.
void test_long_prompts(Compute& compute) {
    Shape shape{"long"};
    shape.max_distance = 128;
    shape.buckets = 32;
    std::printf("long prompts: %.2g\n", compare(shape, {40, 280, 270}, 2e-5, compute));
}

void test_threads(Compute& one, Compute& two) {
    const tiny_graph::Model model = tiny_t5::make(large_shape(GGML_TYPE_Q8_0), 3);
    const Loaded first(model.file, one);
    const Loaded second(model.file, two);
    const Input input{first.soft_tokens(32, 1), random_tokens(40, 2, 23), {0, 5}};
    CHECK(first.logits(input) == second.logits(input));
}

}  // namespace

int main() {
    start_engine();
    Compute compute("cpu", 1);
    Compute two("cpu", 2);
    test_shapes(compute);
    test_types(compute);
    test_large_activations(compute);
    test_scaled_twins(compute);
    test_deepest(compute);
    test_long_prompts(compute);
    test_threads(compute, two);
    return check::report();
}
