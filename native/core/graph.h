// One ggml graph under construction: names its intermediates, remembers what goes in and what comes out.
#pragma once

#include <ggml-cpp.h>
#include <ggml.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "trace.h"

namespace instructblip {

class Graph {
  public:
    // Most nodes, and most leaves, of any graph: the stages cut theirs into groups of layers that fit.
    static constexpr size_t max_nodes = 2048;

    // Intermediates are named `stage.step` or `stage.step-layer`.
    explicit Graph(std::string stage, const Trace* trace = nullptr);

    // What is built from here on is named `stage.…`.
    void enter(const std::string& stage) { stage_ = stage; }

    ggml_context* context() const { return context_.get(); }
    ggml_cgraph* graph() const { return graph_; }
    const std::string& stage() const { return stage_; }

    // Inputs, shape in PyTorch order; `data` must live until the graph has run.
    ggml_tensor* input(const std::string& step, const std::vector<int64_t>& shape, const float* data);
    ggml_tensor* input(const std::string& step, const std::vector<int64_t>& shape, const int32_t* data);

    // Names `tensor`, and keeps it readable when the trace wants it. Returns what to go on with.
    ggml_tensor* name(ggml_tensor* tensor, const std::string& step, int64_t layer = -1);

    // `tensor` (F32) is a result, to be written to `data`.
    void output(ggml_tensor* tensor, float* data);

    // For the runner.
    struct Input {
        ggml_tensor* tensor;
        const void* data;
    };
    struct Output {
        ggml_tensor* tensor;
        float* data;
    };
    const std::vector<Input>& inputs() const { return inputs_; }
    const std::vector<Output>& outputs() const { return outputs_; }
    struct Traced {
        std::string name;
        ggml_tensor* tensor;  // contiguous
    };
    const std::vector<Traced>& traced() const { return traced_; }

  private:
    ggml_tensor* add_input(const std::string& step, ggml_type type, const std::vector<int64_t>& shape,
                           const void* data);

    std::string stage_;
    const Trace* trace_;
    std::unique_ptr<uint8_t[]> memory_;  // of the context
    ggml_context_ptr context_;
    ggml_cgraph* graph_;
    std::vector<Input> inputs_;
    std::vector<Output> outputs_;
    std::vector<Traced> traced_;
};

}  // namespace instructblip
