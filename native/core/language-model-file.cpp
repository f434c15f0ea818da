#include "language-model-file.h"

#include "decoder-session.h"
#include "error.h"
#include "llama-language-model.h"
#include "opt-language-model.h"
#include "t5-language-model.h"

namespace instructblip {
namespace {

LanguageModelFile read_llama(const std::shared_ptr<const GgufFile>& file) {
    const LlamaFacts facts = check_llama(*file);
    return {file, "llama", facts.embedding_length, facts.vocabulary_size, facts.eos_token_id, {}, facts};
}

LanguageModelFile read_t5(const std::shared_ptr<const GgufFile>& file) {
    Vocabulary vocabulary = Vocabulary::read(*file);
    const T5Config config = T5Config::read(*file);
    T5Model::check(*file, config);
    const int32_t eos = vocabulary.eos_token;
    return {file, "t5", config.d_model, config.vocab_size, eos, std::move(vocabulary), config};
}

LanguageModelFile read_opt(const std::shared_ptr<const GgufFile>& file) {
    Vocabulary vocabulary = Vocabulary::read(*file);
    const OptConfig config = OptConfig::read(*file);
    OptModel::check(*file, config);
    const int32_t eos = vocabulary.eos_token;
    return {file, "opt", config.word_embed_proj_dim, config.vocab_size, eos, std::move(vocabulary), config};
}

}  // namespace

LanguageModelFile LanguageModelFile::read(const std::shared_ptr<const GgufFile>& file) {
    const std::string& architecture = file->require_string("general.architecture");
    if (architecture == "llama") return read_llama(file);
    if (architecture == "t5") return read_t5(file);
    if (architecture == "opt") return read_opt(file);
    throw ModelError("MODEL_FILE_UNSUPPORTED",
                     "language model file " + file->path() + " is not supported: general.architecture is '" +
                         architecture.substr(0, 60) + "', not 'llama', 't5' or 'opt'. " +
                         (architecture == "clip" ? "Are the two files swapped?"
                                                 : "Use a Vicuna, or convert an InstructBLIP checkpoint"));
}

std::unique_ptr<LanguageModel> LanguageModelFile::load(Compute& compute, const LanguageModelOptions& options,
                                                       const LoadMonitor& monitor) const {
    if (const auto* const llama = std::get_if<LlamaFacts>(&config)) {
        return std::make_unique<LlamaLanguageModel>(file, *llama, compute, options, monitor);
    }
    if (const auto* const t5 = std::get_if<T5Config>(&config)) {
        return std::make_unique<DecoderLanguageModel>(std::make_shared<T5Model>(file, *t5, compute, options, monitor));
    }
    return std::make_unique<DecoderLanguageModel>(
        std::make_shared<OptModel>(file, std::get<OptConfig>(config), compute, options, monitor));
}

}  // namespace instructblip
