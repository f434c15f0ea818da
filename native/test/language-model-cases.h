// Altered language model files: each is refused with a ModelError, or libllama loads it and decodes with it. None
// crashes.
#pragma once

#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "gguf-file.h"
#include "gguf-writer.h"
#include "isolated.h"
#include "llama-check.h"
#include "llama-run.h"
#include "tiny-language-model.h"

namespace language_model_cases {

using namespace gguf_writer;
using instructblip::GgufFile;

#if defined(__SANITIZE_ADDRESS__)
[[maybe_unused]] constexpr size_t stride = 4;  // of the many like cases; sanitizers make each slow
#else
[[maybe_unused]] constexpr size_t stride = 1;
#endif

[[maybe_unused]] const char* const refused = "refused";  // with any code
[[maybe_unused]] const char* const any = "any";

struct Case {
    std::string name;
    std::string expected;  // a code, `nothing`, `refused` or `any`
    std::function<std::string()> bytes;
};

class Cases {
  public:
    explicit Cases(File sound) : sound_(std::move(sound)) {}

    const File& sound() const { return sound_; }

    void add(const std::string& name, const std::string& expected, std::function<std::string()> bytes) {
        cases_.push_back({name, expected, std::move(bytes)});
    }
    void add(const std::string& name, const std::string& expected, const std::function<void(File&)>& alter) {
        add(name, expected, [this, alter] {
            File file = sound_;
            alter(file);
            return file.bytes();
        });
    }

    void run() const {
        const TemporaryFile file("");
        const std::vector<std::string> results = isolated::run(cases_.size(), [&](size_t i) {
            file.write(cases_[i].bytes());
            return load(file.path(), i % 2 == 0);
        });
        std::map<std::string, int> codes;
        for (size_t i = 0; i < results.size(); ++i) {
            judge(cases_[i], results[i]);
            ++codes[results[i].substr(0, results[i].find(':'))];
        }
        CHECK(results.size() == cases_.size());
        std::printf("%zu files:", results.size());
        for (const auto& [code, count] : codes) std::printf(" %s %d", code.c_str(), count);
        std::printf("\n");
    }

  private:
    static std::string load(const std::string& path, bool mapped) {
        std::string code = check::error_code([&] { check_llama(*GgufFile::open(path)); });
        if (code != "nothing") return code;
        try {
            const std::string problem = llama_run::run(path, mapped);
            return problem.empty() ? "nothing" : "accepted, but: " + problem;
        } catch (const std::exception& error) {
            return std::string("accepted, but thrown: ") + error.what();
        }
    }

    static void judge(const Case& one, const std::string& result) {
        const bool typed = result.rfind("MODEL_FILE_", 0) == 0;
        const bool right = one.expected == any       ? typed || result == "nothing"
                           : one.expected == refused ? typed
                                                     : result == one.expected;
        CHECK_THAT(right, one.name + ": expected " + one.expected + ", got " + result);
    }

    File sound_;
    std::vector<Case> cases_;
};

// The file to alter: small, with every key that libllama reads.
inline File sound_file() {
    tiny_language::Shape shape{};
    shape.all_keys = true;
    shape.biases = true;
    return tiny_language::make(shape, 9);
}

}  // namespace language_model_cases
