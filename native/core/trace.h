// Intermediates that a test (or `inspect`) asked for by name. Nothing is kept otherwise.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace instructblip {

struct TracedTensor {
    std::vector<int64_t> shape;  // PyTorch order
    std::vector<float> data;
};

class Trace {
  public:
    explicit Trace(std::set<std::string> names) : names_(std::move(names)) {}

    bool wants(const std::string& name) const { return names_.count(name) != 0; }
    void add(const std::string& name, TracedTensor tensor) { tensors_.insert_or_assign(name, std::move(tensor)); }
    void add_wanted(const std::string& name, TracedTensor tensor) {
        if (wants(name)) add(name, std::move(tensor));
    }
    const std::map<std::string, TracedTensor>& tensors() const { return tensors_; }

    // Throws OPTION_INVALID when a name was asked for that no graph has.
    void require_complete() const;

  private:
    std::set<std::string> names_;
    std::map<std::string, TracedTensor> tensors_;
};

}  // namespace instructblip
