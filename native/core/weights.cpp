#include "weights.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "error.h"
#include "gemm/engine-hook.h"

namespace instructblip {
namespace {

// Those that the CPU multiplies with and looks rows up in; for others ggml would end the process.
bool is_matrix_type(ggml_type type) {
    switch (type) {
        case GGML_TYPE_F32:
        case GGML_TYPE_F16:
        case GGML_TYPE_BF16:
        case GGML_TYPE_Q4_0:
        case GGML_TYPE_Q4_1:
        case GGML_TYPE_Q5_0:
        case GGML_TYPE_Q5_1:
        case GGML_TYPE_Q8_0:
        case GGML_TYPE_Q2_K:
        case GGML_TYPE_Q3_K:
        case GGML_TYPE_Q4_K:
        case GGML_TYPE_Q5_K:
        case GGML_TYPE_Q6_K:
        case GGML_TYPE_IQ4_NL:
        case GGML_TYPE_IQ4_XS:
            return true;
        default:
            return false;
    }
}

const GgufTensor& checked_tensor(const GgufFile& file, const std::string& name, const std::vector<int64_t>& shape,
                                 WeightUse use) {
    const GgufTensor& tensor = file.require_tensor(name, shape);
    const std::string what = "tensor '" + name + "' of " + file.path() + " has type ";
    if (use == WeightUse::vector && tensor.type != GGML_TYPE_F32) {
        throw ModelError("MODEL_FILE_TENSOR_INVALID", what + ggml_type_name(tensor.type) + ", expected f32");
    }
    if (!is_matrix_type(tensor.type)) {
        throw ModelError("MODEL_FILE_UNSUPPORTED", what + ggml_type_name(tensor.type) +
                                                       ", which cannot be computed with. Convert the checkpoint to "
                                                       "F16, BF16, F32, Q8_0 or Q4_0");
    }
    return tensor;
}

// ggml's dimensions. A product's inner ones count as one: rows lie one after another all the same.
std::vector<int64_t> dimensions(const GgufTensor& source, WeightUse use) {
    std::vector<int64_t> ne(source.shape.rbegin(), source.shape.rend());
    if (use != WeightUse::product) return ne;
    const int64_t rows = ne.back();
    int64_t columns = 1;
    for (size_t i = 0; i + 1 < ne.size(); ++i) columns *= ne[i];
    return {columns, rows};
}

// What is computed with the weight, for a device to say whether it can.
std::vector<ggml_tensor*> sample_operations(ggml_context* context, ggml_tensor* weight, WeightUse use) {
    constexpr int64_t sample_rows = 512;
    if (use == WeightUse::table) {
        ggml_tensor* const ids = ggml_new_tensor_1d(context, GGML_TYPE_I32, sample_rows);
        return {ggml_get_rows(context, weight, ids)};
    }
    if (use == WeightUse::product) {
        ggml_tensor* const x = ggml_new_tensor_2d(context, GGML_TYPE_F32, weight->ne[0], sample_rows);
        return {ggml_mul_mat(context, weight, x)};
    }
    ggml_tensor* const x = ggml_dup_tensor(context, weight);
    return {ggml_add(context, x, weight), ggml_mul(context, x, weight)};
}

bool can_live_in(const WeightPlace& place, ggml_type type, const std::vector<int64_t>& ne, WeightUse use) {
    ggml_context_ptr context(ggml_init({8 * ggml_tensor_overhead(), nullptr, true}));
    ggml_tensor* const weight = ggml_new_tensor(context.get(), type, static_cast<int>(ne.size()), ne.data());
    // Empty: only says where the weight would be.
    ggml_backend_buffer_ptr buffer(ggml_backend_buft_alloc_buffer(place.buffer_type, 0));
    weight->buffer = buffer.get();
    const std::vector<ggml_tensor*> operations = sample_operations(context.get(), weight, use);
    return std::all_of(operations.begin(), operations.end(), [&](const ggml_tensor* operation) {
        return ggml_backend_dev_supports_op(place.device, operation);
    });
}

// Whether the device can use the file's mapped memory as it is.
bool can_map(const WeightPlace& place) {
    ggml_backend_dev_props props;
    ggml_backend_dev_get_props(place.device, &props);
    return props.caps.buffer_from_host_ptr && place.buffer_type == ggml_backend_dev_buffer_type(place.device);
}

std::optional<WeightPlace> best_place(const Compute& compute, ggml_type type, const std::vector<int64_t>& ne,
                                      WeightUse use) {
    // Tables stay with the CPU: few devices look rows up in every type, and few rows are wanted.
    if (use == WeightUse::table) return compute.table_place();
    for (const WeightPlace& place : compute.weight_places()) {
        if (can_live_in(place, type, ne, use) &&
            !kernels_beat(ggml_backend_buft_name(place.buffer_type), type, ne[0])) {
            return place;
        }
    }
    return std::nullopt;
}

[[noreturn]] void throw_out_of_memory(const WeightPlace& place) {
    throw ModelError("OUT_OF_MEMORY", std::string("memory for weights in ") +
                                          ggml_backend_buft_name(place.buffer_type) +
                                          " could not be had: free some, or use a smaller type or another device");
}

}  // namespace

bool leaves_file_order(const Compute& compute, ggml_type type, int64_t rows, int64_t columns) {
    const std::optional<WeightPlace> place = best_place(compute, type, {columns, rows}, WeightUse::product);
    return place && !can_map(*place);
}

ggml_tensor* WeightCheck::add(const std::string& name, const std::vector<int64_t>& shape, WeightUse use) {
    checked_tensor(file_, name, shape, use);
    seen_.insert(name);
    return nullptr;
}

void WeightCheck::require_no_others() const {
    for (const GgufTensor& tensor : file_.tensors()) {
        if (seen_.count(tensor.name) != 0) continue;
        throw ModelError("MODEL_FILE_UNSUPPORTED", "model file " + file_.path() + " is not supported: tensor '" +
                                                       tensor.name +
                                                       "' is no part of the model that its keys describe. Convert the "
                                                       "checkpoint again");
    }
}

// Counts bytes for the monitor and looks at its cancel token.
class Weights::Progress {
  public:
    Progress(const LoadMonitor& monitor, uint64_t total) : monitor_(monitor), total_(total) { add(0); }

    void add(uint64_t bytes) {
        loaded_ += bytes;
        if (monitor_.cancel != nullptr) monitor_.cancel->throw_if_cancelled();
        if (monitor_.on_bytes) monitor_.on_bytes(loaded_, total_);
    }

  private:
    const LoadMonitor& monitor_;
    uint64_t total_;
    uint64_t loaded_ = 0;
};

Weights::Weights(std::shared_ptr<const GgufFile> file, const Compute& compute)
    : file_(std::move(file)), compute_(compute) {}

Weights::Group& Weights::group_at(const WeightPlace& place) {
    for (const auto& group : groups_) {
        if (group->place.buffer_type == place.buffer_type) return *group;
    }
    auto group = std::make_unique<Group>();
    group->place = place;
    const size_t size = (file_->tensors().size() + 1) * ggml_tensor_overhead();  // each may be added once
    group->memory.reset(new uint8_t[size]);
    group->context.reset(ggml_init({size, group->memory.get(), true}));
    groups_.push_back(std::move(group));
    return *groups_.back();
}

WeightPlace Weights::choose_place(const GgufTensor& source, WeightUse use) const {
    if (const auto place = best_place(compute_, source.type, dimensions(source, use), use)) return *place;
    throw ModelError("MODEL_FILE_UNSUPPORTED", "no device can compute with tensor '" + source.name + "' of " +
                                                   file_->path() + ", which has type " + ggml_type_name(source.type));
}

ggml_tensor* Weights::add(const std::string& name, const std::vector<int64_t>& shape, WeightUse use) {
    const GgufTensor& source = checked_tensor(*file_, name, shape, use);
    Group& group = group_at(choose_place(source, use));
    const std::vector<int64_t> ne = dimensions(source, use);
    ggml_tensor* const tensor =
        ggml_new_tensor(group.context.get(), source.type, static_cast<int>(ne.size()), ne.data());
    ggml_set_name(tensor, name.c_str());
    group.items.push_back({tensor, &source});
    return tensor;
}

void Weights::load(const LoadMonitor& monitor) {
    uint64_t total = 0;
    for (const auto& group : groups_) {
        for (const Item& item : group->items) total += item.source->byte_length;
    }
    Progress progress(monitor, total);
    for (const auto& group : groups_) {
        if (can_map(group->place)) map(*group);
        copy(*group, progress);
    }
}

// Gives the group's tensors their mapped bytes, where these are aligned as the device wants them. The file object, and
// with it the mapping, lives as long as we do.
void Weights::map(Group& group) {
    uint64_t largest = 0;
    for (const Item& item : group.items) largest = std::max(largest, item.source->byte_length);
    const MappedFile& mapping = file_->mapping();
    auto* const data = const_cast<uint8_t*>(mapping.data());  // ggml has no const buffers; weights are never written
    ggml_backend_buffer_ptr buffer(
        ggml_backend_dev_buffer_from_host_ptr(group.place.device, data, mapping.size(), largest));
    if (!buffer) return;  // copied instead
    ggml_backend_buffer_set_usage(buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    auto* const base = static_cast<uint8_t*>(ggml_backend_buffer_get_base(buffer.get()));
    const size_t alignment = ggml_backend_buffer_get_alignment(buffer.get());
    for (const Item& item : group.items) {
        const GgufTensor& source = *item.source;
        const uint64_t end = source.offset + ggml_backend_buffer_get_alloc_size(buffer.get(), item.tensor);
        if (source.offset % alignment != 0 || end > mapping.size()) continue;
        if (ggml_backend_tensor_alloc(buffer.get(), item.tensor, base + source.offset) != GGML_STATUS_SUCCESS) {
            throw_out_of_memory(group.place);
        }
        mapping.prefetch(source.offset, source.byte_length);
    }
    group.buffers.push_back(std::move(buffer));
}

// Copies what is not mapped into the group's own memory, in the order that its buffer type keeps weights in.
void Weights::copy(Group& group, Progress& progress) {
    std::vector<const Item*> unmapped;
    for (const Item& item : group.items) {
        if (item.tensor->data == nullptr) {
            unmapped.push_back(&item);
        } else {
            progress.add(item.source->byte_length);
        }
    }
    if (unmapped.empty()) return;
    ggml_backend_buffer_ptr buffer(
        ggml_backend_alloc_ctx_tensors_from_buft(group.context.get(), group.place.buffer_type));
    if (!buffer) throw_out_of_memory(group.place);
    ggml_backend_buffer_set_usage(buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    for (const Item* item : unmapped) {
        const GgufTensor& source = *item->source;
        ggml_backend_tensor_set(item->tensor, source.data, 0, source.byte_length);
        file_->mapping().release(source.offset, source.byte_length);  // the copy replaces it
        progress.add(source.byte_length);
    }
    group.buffers.push_back(std::move(buffer));
}

}  // namespace instructblip
