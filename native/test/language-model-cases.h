// Altered language model files: each is refused with a ModelError, or libllama loads it and decodes with it. None
// crashes.
#pragma once

#include <string>
#include <utility>

#include "check.h"
#include "damage-cases.h"
#include "gguf-file.h"
#include "llama-check.h"
#include "llama-run.h"
#include "tiny-language-model.h"

namespace language_model_cases {

using namespace damage;
using instructblip::GgufFile;

// Loads a file in libllama and decodes with it.
inline std::string load(const std::string& path, size_t index) {
    const bool mapped = index % 2 == 0;
    std::string code = check::error_code([&] { check_llama(*GgufFile::open(path)); });
    if (code != "nothing") return code;
    try {
        const std::string problem = llama_run::run(path, mapped);
        return problem.empty() ? "nothing" : "accepted, but: " + problem;
    } catch (const std::exception& error) {
        return std::string("accepted, but thrown: ") + error.what();
    }
}

class Cases : public AlteredFiles {
  public:
    explicit Cases(File sound) : AlteredFiles(std::move(sound), load) {}
};

// The file to alter: small, with every key that libllama reads.
inline File sound_file() {
    tiny_language::Shape shape{};
    shape.all_keys = true;
    shape.biases = true;
    return tiny_language::make(shape, 9);
}

}  // namespace language_model_cases
