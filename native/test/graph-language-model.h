// Loads a tiny T5 or OPT as the composition does, and asks it.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "check.h"
#include "compute.h"
#include "engine.h"
#include "gguf-file.h"
#include "gguf-writer.h"
#include "language-model-file.h"
#include "language-reference.h"
#include "trace.h"

namespace graph_language_model {

using namespace instructblip;
using language_reference::Input;
using language_reference::Values;

inline const CancelToken never;

inline void start_engine() {
    initialize_engine(INSTRUCTBLIP_ENGINE_DIRECTORY, {});
}

inline LanguageModelOptions options_of(std::optional<ggml_type> cache = {}, int32_t cells = 600,
                                       int32_t sequences = 8) {
    LanguageModelOptions options;
    options.context_size = cells;
    options.max_sequences = sequences;
    options.kv_cache_type = cache;
    return options;
}

struct Loaded {
    LanguageModelFile file;
    std::unique_ptr<LanguageModel> model;

    Loaded(const gguf_writer::File& contents, Compute& compute, const LanguageModelOptions& options = options_of())
        : file(read(contents)), model(file.load(compute, options, {})) {}

    // Everything in one prefill.
    std::vector<float> logits(const Input& input) const {
        const auto soft = static_cast<int64_t>(input.soft_tokens.size()) / file.embedding_length;
        const auto rows = soft + static_cast<int64_t>(input.tokens.size() + input.answer.size());
        const auto session = model->create_session(static_cast<int32_t>(rows), 1);
        std::vector<float> result;
        session->prefill({input.soft_tokens, input.tokens, input.answer}, never, result);
        return result;
    }
    // The same as a forward pass, with what else `names` says: the logits of all rows are language.logits.
    std::map<std::string, TracedTensor> forward(const ForwardInput& input, std::set<std::string> names) const {
        names.insert("language.logits");
        Trace trace(names);
        model->forward(input, never, trace);
        trace.require_complete();
        return trace.tensors();
    }
    ForwardInput forward_input(const Input& input) const {
        if (file.model_type == "t5") return {input.soft_tokens, input.tokens, {}, input.answer, {}};
        ForwardInput result{input.soft_tokens, input.tokens, {}, {}, {}};
        result.tokens.insert(result.tokens.end(), input.answer.begin(), input.answer.end());
        return result;
    }
    // Of logits [R,V].
    std::vector<float> last_row(const std::vector<float>& logits) const {
        return {logits.end() - file.vocabulary_size, logits.end()};
    }

    std::vector<float> soft_tokens(int64_t rows, unsigned seed) const {
        return tiny_graph::random_values(static_cast<size_t>(rows * file.embedding_length), seed);
    }

  private:
    // The mapping outlives the file's name.
    static LanguageModelFile read(const gguf_writer::File& contents) {
        const gguf_writer::TemporaryFile file(contents.bytes());
        return LanguageModelFile::read(GgufFile::open(file.path()));
    }
};

inline std::vector<int32_t> random_tokens(size_t count, unsigned seed, int64_t vocabulary) {
    std::mt19937 random(seed);
    std::vector<int32_t> tokens(count);
    for (int32_t& token : tokens) token = static_cast<int32_t>(random() % static_cast<uint64_t>(vocabulary));
    return tokens;
}

// Largest difference, as a part of the largest value; NaN is infinitely wrong.
template <class Numbers>
double error_of(const float* found, const Numbers& wanted) {
    double scale = 0;
    double largest = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
        const double difference = std::abs(static_cast<double>(found[i]) - static_cast<double>(wanted[i]));
        if (!(difference <= largest)) largest = std::isnan(difference) ? INFINITY : difference;
        scale = std::max(scale, std::abs(static_cast<double>(wanted[i])));
    }
    return largest / scale;
}
template <class Numbers>
double error_of(const std::vector<float>& found, const Numbers& wanted) {
    return found.size() == wanted.size() ? error_of(found.data(), wanted) : INFINITY;
}

}  // namespace graph_language_model
