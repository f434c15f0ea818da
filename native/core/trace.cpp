#include "trace.h"

#include "error.h"

namespace instructblip {

void Trace::require_complete() const {
    for (const std::string& name : names_) {
        if (tensors_.count(name) == 0) {
            throw ModelError("OPTION_INVALID", "there is no intermediate '" + name +
                                                   "' in this stage of this model (docs/architecture.md lists them)");
        }
    }
}

}  // namespace instructblip
