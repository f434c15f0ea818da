// What libllama computes inside, seen through its evaluation callback: intermediates for a trace, by our names, and the
// mask of its attention, from which further keys are hidden.
#pragma once

#include <ggml-backend.h>
#include <ggml.h>

#include <cstdint>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "trace.h"

namespace instructblip {

class LlamaObserver {
  public:
    // Of `mask.size()` rows in all; 0 = no row sees the key.
    LlamaObserver(const Trace& trace, std::vector<int32_t> mask);

    // ggml_backend_sched_eval_callback; `self` is the observer.
    static bool on_tensor(ggml_tensor* tensor, bool ask, void* self);

    // The rows that the next graph computes begin here.
    void begin(int64_t first_row) { first_row_ = first_row; }
    // Rethrows what went wrong in the callback.
    void rethrow() const;

    // `values` are rows of the intermediate with our name, from row `first`, if it is wanted.
    void add_rows(const std::string& name, int64_t first, const std::vector<float>& values, int64_t width);
    // Hands over what was seen.
    void deliver(Trace& trace);

  private:
    bool see(ggml_tensor* tensor, bool ask);
    void hide_keys(ggml_tensor* mask) const;
    void read(const std::string& name, const ggml_tensor* tensor);
    TracedTensor& kept(const std::string& name, std::vector<int64_t> shape);
    int64_t row_count() const { return static_cast<int64_t>(mask_.size()); }

    const Trace& trace_;
    std::vector<int32_t> mask_;
    bool hides_;
    int64_t first_row_ = 0;
    std::map<std::string, TracedTensor> seen_;
    std::exception_ptr thrown_;
};

}  // namespace instructblip
