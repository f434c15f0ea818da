#include "llama-observer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "error.h"

namespace instructblip {
namespace {

bool starts_with(const std::string& text, const std::string& start) {
    return text.compare(0, start.size(), start) == 0;
}

// libllama's names (`l_out-3`) → ours (`llama.layer-3`); '' = none of ours.
std::string our_name(const std::string& name) {
    static const std::map<std::string, std::string> steps = {
        {"embd", "embeddings"}, {"l_out", "layer"}, {"kq_soft_max", "attention_weights"}, {"result_norm", "output"}};
    const size_t end = name.find('-');
    const auto found = steps.find(name.substr(0, end));
    if (found == steps.end()) return "";
    return "llama." + found->second + (end == std::string::npos ? "" : name.substr(end));
}

std::vector<float> read_floats(const ggml_tensor* tensor) {
    if (tensor->type != GGML_TYPE_F32 || !ggml_is_contiguous(tensor)) {
        throw ModelError("OPTION_UNSUPPORTED",
                         std::string("the engine computes '") + tensor->name + "' in a form that cannot be shown");
    }
    std::vector<float> values(static_cast<size_t>(ggml_nelements(tensor)));
    ggml_backend_tensor_get(tensor, values.data(), 0, ggml_nbytes(tensor));
    return values;
}

}  // namespace

LlamaObserver::LlamaObserver(const Trace& trace, std::vector<int32_t> mask)
    : trace_(trace), mask_(std::move(mask)), hides_(std::count(mask_.begin(), mask_.end(), 0) > 0) {}

// The engine is C: an exception must not pass through it.
bool LlamaObserver::on_tensor(ggml_tensor* tensor, bool ask, void* self) {
    auto* const observer = static_cast<LlamaObserver*>(self);
    try {
        return observer->see(tensor, ask);
    } catch (...) {
        observer->thrown_ = std::current_exception();
        return false;
    }
}

void LlamaObserver::rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
}

// Asked first whether the tensor is wanted (then what comes before it has been started), and called again once it is
// computed, if it is.
bool LlamaObserver::see(ggml_tensor* tensor, bool ask) {
    const std::string engine_name = tensor->name;
    const std::string name = our_name(engine_name);
    if (!ask) {
        if (trace_.wants(name)) read(name, tensor);
        return true;
    }
    if (hides_ && starts_with(engine_name, "kq_soft_max-")) hide_keys(tensor->src[1]);
    // Wanting the scores ends the work in front of the softmax: the mask has arrived where it is needed, and may
    // change.
    return trace_.wants(name) || (hides_ && starts_with(engine_name, "kq-"));
}

// mask [rows,keys] of 0 and -infinity
void LlamaObserver::hide_keys(ggml_tensor* mask) const {
    std::vector<float> values = read_floats(mask);
    const int64_t keys = mask->ne[0];
    for (size_t i = 0; i < values.size(); ++i) {
        const int64_t key = static_cast<int64_t>(i) % keys;
        if (key < row_count() && mask_[static_cast<size_t>(key)] == 0) {
            values[i] = -std::numeric_limits<float>::infinity();
        }
    }
    ggml_backend_tensor_set(mask, values.data(), 0, ggml_nbytes(mask));
}

TracedTensor& LlamaObserver::kept(const std::string& name, std::vector<int64_t> shape) {
    TracedTensor& tensor = seen_[name];
    if (tensor.data.empty()) {
        int64_t size = 1;
        for (const int64_t length : shape) size *= length;
        tensor = {std::move(shape), std::vector<float>(static_cast<size_t>(size), 0.0F)};
    }
    return tensor;
}

void LlamaObserver::read(const std::string& name, const ggml_tensor* tensor) {
    const std::vector<float> values = read_floats(tensor);
    if (!starts_with(name, "llama.attention_weights")) {
        add_rows(name, first_row_, values, tensor->ne[0]);
        return;
    }
    // [heads,rows of this graph,cells] → [heads,R,R]: cells are in the order of the rows; those not yet filled are not
    // seen.
    const int64_t cells = tensor->ne[0];
    const int64_t rows = tensor->ne[1];
    const int64_t count = row_count();
    TracedTensor& whole = kept(name, {tensor->ne[2], count, count});
    for (int64_t i = 0; i < tensor->ne[2] * rows; ++i) {
        const int64_t row = (i / rows) * count + first_row_ + i % rows;
        std::copy_n(values.begin() + i * cells, std::min(cells, count), whole.data.begin() + row * count);
    }
}

void LlamaObserver::add_rows(const std::string& name, int64_t first, const std::vector<float>& values, int64_t width) {
    if (!trace_.wants(name)) return;
    TracedTensor& whole = kept(name, {row_count(), width});
    std::copy(values.begin(), values.end(), whole.data.begin() + first * width);
}

void LlamaObserver::deliver(Trace& trace) {
    for (auto& [name, tensor] : seen_) trace.add(name, std::move(tensor));
    seen_.clear();
}

}  // namespace instructblip
