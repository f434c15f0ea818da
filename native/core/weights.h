// The weights of a stage: checked against the file, placed where they compute fastest, immutable afterwards.
#pragma once

#include <ggml-backend.h>
#include <ggml-cpp.h>
#include <ggml.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "cancel-token.h"
#include "compute.h"
#include "gguf-file.h"

namespace instructblip {

// Watches a load: cancel it, or hear how far it is. Both may be absent.
struct LoadMonitor {
    const CancelToken* cancel = nullptr;
    std::function<void(uint64_t loaded, uint64_t total)> on_bytes;  // of the stage's weights
};

// What a weight is used for: decides where it can live.
enum class WeightUse {
    product,  // matrix [rows, columns], any weight type
    vector,   // F32, added or multiplied
    table,    // rows are looked up, any weight type
};

// Whether a matrix of this type and shape [rows, columns] computes fastest in a buffer with an order of its
// own (AMX, CPU_REPACK, a GPU's) instead of the file's bytes.
bool leaves_file_order(const Compute& compute, ggml_type type, int64_t rows, int64_t columns);

// Takes the declarations of a stage's weights: to load them (Weights) or only to check them (WeightCheck).
class WeightSink {
  public:
    virtual ~WeightSink() = default;

    // A weight of this shape (PyTorch order). A product's inner dimensions count as one.
    // Throws MODEL_FILE_TENSOR_MISSING, MODEL_FILE_TENSOR_INVALID, MODEL_FILE_UNSUPPORTED.
    virtual ggml_tensor* add(const std::string& name, const std::vector<int64_t>& shape, WeightUse use) = 0;
};

class WeightCheck : public WeightSink {
  public:
    explicit WeightCheck(const GgufFile& file) : file_(file) {}
    ggml_tensor* add(const std::string& name, const std::vector<int64_t>& shape, WeightUse use) override;

    // A tensor that may be there, and has no effect.
    void ignore(const std::string& name) { seen_.insert(name); }
    // Throws MODEL_FILE_UNSUPPORTED for a tensor that is neither: the file's model is not the one that its keys
    // describe.
    void require_no_others() const;

  private:
    const GgufFile& file_;
    std::unordered_set<std::string> seen_;
};

// Collects a stage's tensors, then loads them all. The tensors of `Weights` may be used in graphs as long as it lives.
class Weights : public WeightSink {
  public:
    Weights(std::shared_ptr<const GgufFile> file, const Compute& compute);
    Weights(const Weights&) = delete;
    Weights& operator=(const Weights&) = delete;

    ggml_tensor* add(const std::string& name, const std::vector<int64_t>& shape, WeightUse use) override;

    // Maps or copies everything that was added; once. Throws OUT_OF_MEMORY, ABORTED.
    void load(const LoadMonitor& monitor);

  private:
    struct Item {
        ggml_tensor* tensor;
        const GgufTensor* source;
    };
    // Weights that share a place.
    struct Group {
        WeightPlace place;
        std::unique_ptr<uint8_t[]> memory;  // of the context
        ggml_context_ptr context;
        std::vector<Item> items;
        std::vector<ggml_backend_buffer_ptr> buffers;
    };
    class Progress;

    Group& group_at(const WeightPlace& place);
    WeightPlace choose_place(const GgufTensor& source, WeightUse use) const;
    void map(Group& group);
    void copy(Group& group, Progress& progress);

    std::shared_ptr<const GgufFile> file_;
    const Compute& compute_;
    std::vector<std::unique_ptr<Group>> groups_;
};

}  // namespace instructblip
