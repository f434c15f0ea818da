#include "graph.h"

#include <utility>

namespace instructblip {
namespace {

// ne of a shape in PyTorch order.
ggml_tensor* new_tensor(ggml_context* context, ggml_type type, const std::vector<int64_t>& shape) {
    const std::vector<int64_t> ne(shape.rbegin(), shape.rend());
    return ggml_new_tensor(context, type, static_cast<int>(ne.size()), ne.data());
}

}  // namespace

Graph::Graph(std::string stage, const Trace* trace) : stage_(std::move(stage)), trace_(trace) {
    // Our own memory: the engine would end the process where it gets none.
    const size_t size = 2 * max_nodes * ggml_tensor_overhead() + ggml_graph_overhead_custom(max_nodes, false);
    memory_.reset(new uint8_t[size]);
    context_.reset(ggml_init({size, memory_.get(), true}));
    graph_ = ggml_new_graph_custom(context_.get(), max_nodes, false);
}

ggml_tensor* Graph::add_input(const std::string& step, ggml_type type, const std::vector<int64_t>& shape,
                              const void* data) {
    ggml_tensor* const tensor = new_tensor(context_.get(), type, shape);
    ggml_set_name(tensor, (stage_ + "." + step).c_str());
    ggml_set_input(tensor);
    inputs_.push_back({tensor, data});
    return tensor;
}

ggml_tensor* Graph::input(const std::string& step, const std::vector<int64_t>& shape, const float* data) {
    return add_input(step, GGML_TYPE_F32, shape, data);
}

ggml_tensor* Graph::input(const std::string& step, const std::vector<int64_t>& shape, const int32_t* data) {
    return add_input(step, GGML_TYPE_I32, shape, data);
}

ggml_tensor* Graph::name(ggml_tensor* tensor, const std::string& step, int64_t layer) {
    const std::string name = stage_ + "." + step + (layer < 0 ? "" : "-" + std::to_string(layer));
    ggml_set_name(tensor, name.c_str());
    if (trace_ == nullptr || !trace_->wants(name)) return tensor;
    // A view lies in another tensor's memory, which may be reused, and may have gaps: read a copy.
    const bool own_rows = tensor->view_src == nullptr && ggml_is_contiguous(tensor);
    ggml_tensor* const kept = own_rows ? tensor : ggml_cont(context_.get(), tensor);
    ggml_set_output(kept);
    ggml_build_forward_expand(graph_, kept);
    traced_.push_back({name, kept});
    return tensor;
}

void Graph::output(ggml_tensor* tensor, float* data) {
    ggml_set_output(tensor);
    ggml_build_forward_expand(graph_, tensor);
    outputs_.push_back({tensor, data});
}

}  // namespace instructblip
