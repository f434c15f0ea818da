// The only exception that core throws.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace instructblip {

// `code` is one of src/errors.ts's stable codes, or ABORTED. The message names the value and the remedy.
class ModelError : public std::runtime_error {
  public:
    ModelError(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
    const std::string& code() const { return code_; }

  private:
    std::string code_;
};

}  // namespace instructblip
