#include "llama-language-model.h"

#include <algorithm>
#include <utility>

#include "engine.h"
#include "error.h"
#include "llama-forward.h"
#include "llama-session.h"
#include "llama-vocabulary.h"

namespace instructblip {
namespace {

// Rows of one graph: more cost memory for activations and make a cancel wait; prompts rarely have as many.
constexpr uint32_t rows_per_graph = 256;

CacheShape cache_shape(const LlamaFacts& facts) {
    return {facts.block_count, facts.head_count_kv, facts.key_length, facts.value_length};
}

// Bytes that a graph needs for each cell: the scores of all heads, and the mask.
uint64_t score_bytes(const LlamaFacts& facts) {
    return rows_per_graph * sizeof(float) * static_cast<uint64_t>(facts.head_count + 1);
}

// Of a small model there is room for several sequences as long as those that it was trained with.
int64_t most_default_cells(const LlamaFacts& facts, ggml_type type, int32_t sequences) {
    const uint64_t bytes = cache_shape(facts).cell_bytes(type) + score_bytes(facts);
    const auto affordable = static_cast<int64_t>(default_cache_bytes / bytes);
    return std::max(facts.context_length, std::min(affordable, facts.context_length * sequences));
}

// Of the whole context: its cache, and the scores of its largest graph.
uint64_t context_bytes(const LlamaFacts& facts, int32_t cells, ggml_type type) {
    return static_cast<uint64_t>(cells) * (cache_shape(facts).cell_bytes(type) + score_bytes(facts));
}

// Whether most of the file's matrices are kept in another order than the file's. Then mapping the file would hold the
// weights twice in memory.
bool is_repacked(const GgufFile& file, const Compute& compute) {
    uint64_t repacked = 0;
    uint64_t total = 0;
    for (const GgufTensor& tensor : file.tensors()) {
        if (tensor.shape.size() != 2) continue;
        total += tensor.byte_length;
        if (leaves_file_order(compute, tensor.type, tensor.shape[0], tensor.shape[1])) repacked += tensor.byte_length;
    }
    return repacked > total / 2;
}

// Every matrix takes part in a row's way through the model, but for the embedding, which is looked up.
GraphWork work_of_row(const GgufFile& file, const LlamaFacts& facts) {
    GraphWork work;
    for (const GgufTensor& tensor : file.tensors()) {
        if (tensor.shape.size() != 2 || (tensor.name == "token_embd.weight" && !facts.tied_output)) continue;
        work.multiply_adds += static_cast<double>(tensor.shape[0]) * static_cast<double>(tensor.shape[1]);
        work.bytes += static_cast<double>(tensor.byte_length);
    }
    return work;
}

struct LoadState {
    const LoadMonitor& monitor;
    uint64_t bytes;
    std::exception_ptr thrown;
};

// libllama is C: an exception must not pass through it.
bool on_load_progress(float progress, void* data) {
    auto* const state = static_cast<LoadState*>(data);
    try {
        if (state->monitor.cancel != nullptr) state->monitor.cancel->throw_if_cancelled();
        if (state->monitor.on_bytes) {
            state->monitor.on_bytes(static_cast<uint64_t>(progress * static_cast<double>(state->bytes)), state->bytes);
        }
        return true;
    } catch (...) {
        state->thrown = std::current_exception();
        return false;
    }
}

// What libllama's log gives as the reason tells memory from damage.
[[noreturn]] void throw_failed(const std::string& what, const LogCapture& log, const char* otherwise) {
    const std::string reason = log.as_reason();
    const bool memory = reason.find("alloc") != std::string::npos || reason.find("memory") != std::string::npos;
    if (memory) {
        throw ModelError("OUT_OF_MEMORY", what + reason + ". Use a smaller type, contextSize or kvCacheType");
    }
    throw ModelError(otherwise, what + reason);
}

// On the CPU the plain products are as fast for short contexts, and sum in F32. Quantized caches need the other kind.
llama_flash_attn_type attention_of(const Compute& compute, ggml_type kv_cache_type) {
    if (ggml_is_quantized(kv_cache_type)) return LLAMA_FLASH_ATTN_TYPE_ENABLED;
    return compute.is_cpu() ? LLAMA_FLASH_ATTN_TYPE_DISABLED : LLAMA_FLASH_ATTN_TYPE_AUTO;
}

}  // namespace

LlamaContext::LlamaContext(const std::shared_ptr<const GgufFile>& file, const LlamaFacts& facts, const Compute& compute,
                           const LanguageModelOptions& options, const LoadMonitor& monitor)
    : facts_(facts),
      embeddings_(file),
      row_(work_of_row(*file, facts)),
      threads_(compute.threads()),
      cache_type_(options.kv_cache_type.value_or(GGML_TYPE_F16)),
      cells_(context_cells(options, cache_shape(facts), cache_type_,
                           most_default_cells(facts, cache_type_, std::max(options.max_sequences, 1)))),
      shares_(cells_, options.max_sequences) {
    compute.require_memory(context_bytes(facts_, cells_, cache_type_),
                           "a context of " + std::to_string(cells_) + " cells",
                           "load with a smaller contextSize or kvCacheType 'q8_0'");
    load_model(*file, compute, options, monitor);
    llama_context_params params = context_params(compute);
    params.n_batch = params.n_ubatch = std::max(rows_per_graph, static_cast<uint32_t>(options.max_sequences));
    params.n_seq_max = static_cast<uint32_t>(options.max_sequences);
    params.n_outputs_max = params.n_seq_max;  // one row of logits for each sequence
    params.flash_attn_type = attention_of(compute, cache_type_);
    create_context(params);
}

LlamaContext::LlamaContext(const LlamaContext& other, const Compute& compute, int32_t cells,
                           ggml_backend_sched_eval_callback observe, void* observer)
    : facts_(other.facts_),
      embeddings_(other.embeddings_),
      row_(other.row_),
      threads_(other.threads_),
      cache_type_(GGML_TYPE_F32),
      cells_(cells),
      shares_(cells, 1),
      model_(other.model_) {
    compute.require_memory(context_bytes(facts_, cells_, cache_type_),
                           "a context of " + std::to_string(cells_) + " cells", "shorten the prompt");
    llama_context_params params = context_params(compute);
    params.n_batch = params.n_ubatch = std::min(rows_per_graph, static_cast<uint32_t>(cells));
    params.n_seq_max = 1;
    params.n_outputs_max = params.n_batch;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;  // the other kind has no weights to show
    params.cb_eval = observe;
    params.cb_eval_user_data = observer;
    create_context(params);
}

void LlamaContext::load_model(const GgufFile& file, const Compute& compute, const LanguageModelOptions& options,
                              const LoadMonitor& monitor) {
    ggml_backend_dev_t devices[] = {compute.is_cpu() ? nullptr : compute.device(), nullptr};
    llama_model_params params = llama_model_default_params();
    params.devices = devices;
    params.n_gpu_layers = compute.is_cpu() ? 0 : options.gpu_layers;
    params.use_extra_bufts = is_repacked(file, compute);
    params.load_mode = params.use_extra_bufts ? LLAMA_LOAD_MODE_NONE : LLAMA_LOAD_MODE_AUTO;
    LoadState state{monitor, file.file_size(), nullptr};
    params.progress_callback = on_load_progress;
    params.progress_callback_user_data = &state;
    const LogCapture log;
    model_.reset(llama_model_load_from_file(file.path().c_str(), params), llama_model_deleter());
    if (state.thrown) std::rethrow_exception(state.thrown);
    if (!model_) throw_failed("language model " + file.path() + " could not be loaded", log, "MODEL_FILE_CORRUPT");
}

llama_context_params LlamaContext::context_params(const Compute& compute) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<uint32_t>(cells_);
    params.type_k = params.type_v = cache_type_;
    params.kv_unified = true;  // forks share cells
    params.offload_kqv = !compute.is_cpu();
    params.op_offload = !compute.is_cpu();
    params.no_perf = true;
    params.abort_callback = should_abort;
    params.abort_callback_data = this;
    return params;
}

void LlamaContext::create_context(const llama_context_params& params) {
    const LogCapture log;
    context_.reset(llama_init_from_model(model_.get(), params));
    if (!context_) throw_failed("the KV cache could not be made", log, "DEVICE_FAILED");
}

bool LlamaContext::should_abort(void* self) {
    const CancelToken* const cancel = static_cast<const LlamaContext*>(self)->cancel_;
    return cancel != nullptr && cancel->cancelled();
}

void LlamaContext::decode(const llama_batch& batch, const CancelToken& cancel) {
    cancel.throw_if_cancelled();
    const LogCapture log;
    const int threads = useful_threads(threads_, {row_.multiply_adds * batch.n_tokens, row_.bytes});
    llama_set_n_threads(context_.get(), threads, threads);
    cancel_ = &cancel;
    int32_t status = -2;
    try {
        status = llama_decode(context_.get(), batch);
    } catch (const std::exception&) {  // no memory: what else could libllama throw here
        status = -2;
    }
    cancel_ = nullptr;
    cancel.throw_if_cancelled();
    switch (status) {
        case 0:
            return;
        case 1:
            throw ModelError("CONTEXT_LENGTH_EXCEEDED", "the KV cache has no room: load with a larger contextSize");
        case -2:
            throw ModelError("OUT_OF_MEMORY",
                             "memory to compute the language model could not be had" + log.as_reason());
        default:
            throw ModelError("DEVICE_FAILED", "the language model could not be computed" + log.as_reason());
    }
}

LlamaLanguageModel::LlamaLanguageModel(const std::shared_ptr<const GgufFile>& file, const LlamaFacts& facts,
                                       const Compute& compute, const LanguageModelOptions& options,
                                       const LoadMonitor& monitor)
    : compute_(compute),
      context_(std::make_shared<LlamaContext>(file, facts, compute, options, monitor)),
      max_positions_(options.context_size > 0 ? 0 : facts.context_length),
      longest_token_(llama_longest_token(context_->vocab())) {}

std::vector<int32_t> LlamaLanguageModel::tokenize(const std::string& text, bool parse_special) const {
    return llama_text_ids(context_->vocab(), text, parse_special);
}

std::string LlamaLanguageModel::token_bytes(int32_t token, bool special) const {
    return llama_token_bytes(context_->vocab(), token, special);
}

std::unique_ptr<LanguageModelSession> LlamaLanguageModel::create_session(int32_t cells, int32_t sequences) {
    return std::make_unique<LlamaSession>(context_, cells, sequences);
}

void LlamaLanguageModel::forward(const ForwardInput& input, const CancelToken& cancel, Trace& trace) {
    instructblip::forward(*context_, compute_, input, cancel, trace);
}

}  // namespace instructblip
