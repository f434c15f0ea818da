// Altered T5 and OPT files: each is refused before anything is loaded, or it loads, prefills and decodes in our graphs,
// whatever the numbers. None crashes.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "damage-cases.h"
#include "graph-language-model.h"
#include "tiny-opt.h"
#include "tiny-t5.h"

namespace graph_model_cases {

using namespace damage;
using graph_language_model::Compute;
using graph_language_model::GgufFile;
using graph_language_model::LanguageModelFile;
using graph_language_model::never;

// A prompt of each kind of row, a fork, a second sequence, a step with both.
inline void run_model(const LanguageModelFile& file, ggml_type cache) {
    static Compute compute("cpu", 1);
    const auto model = file.load(compute, graph_language_model::options_of(cache, 64, 3), {});
    const auto last = static_cast<int32_t>(file.vocabulary_size - 1);
    const auto session = model->create_session(30, 3);
    std::vector<float> logits;
    const std::vector<float> rows(2 * static_cast<size_t>(file.embedding_length), 0.5F);
    session->prefill({rows, {0, last}, {0}}, never, logits);
    session->decode({last, 0}, {0, 0}, never, logits);
    session->prefill({{}, {last}, {0}}, never, logits);
    session->decode({0, last}, {2, 1}, never, logits);
    CHECK(logits.size() == 2 * static_cast<size_t>(file.vocabulary_size));
}

inline std::string load(const std::string& path, size_t index) {
    LanguageModelFile file;
    std::string code = check::error_code([&] { file = LanguageModelFile::read(GgufFile::open(path)); });
    if (code != "nothing") return code;
    std::string message;
    const std::string later =
        check::error_code([&] { run_model(file, index % 2 == 0 ? GGML_TYPE_F32 : GGML_TYPE_F16); }, &message);
    return later == "nothing" ? later : "accepted, but: " + later + " " + message;
}

class Cases : public AlteredFiles {
  public:
    explicit Cases(File sound) : AlteredFiles(std::move(sound), load) {}
};

}  // namespace graph_model_cases
