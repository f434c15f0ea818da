#include "token-embeddings.h"

#include <cstring>
#include <utility>

namespace instructblip {

TokenEmbeddings::TokenEmbeddings(std::shared_ptr<const GgufFile> file)
    : file_(std::move(file)), table_(*file_->find_tensor("token_embd.weight")) {}

void TokenEmbeddings::append(const std::vector<int32_t>& tokens, std::vector<float>& rows) const {
    const int64_t width = table_.shape.back();
    const size_t row_bytes = ggml_row_size(table_.type, width);
    const ggml_to_float_t to_float = ggml_get_type_traits(table_.type)->to_float;
    rows.reserve(rows.size() + tokens.size() * static_cast<size_t>(width));
    for (const int32_t token : tokens) {
        const uint8_t* const from = table_.data + static_cast<size_t>(token) * row_bytes;
        rows.resize(rows.size() + static_cast<size_t>(width));
        float* const to = rows.data() + rows.size() - width;
        if (table_.type == GGML_TYPE_F32) {
            std::memcpy(to, from, row_bytes);
        } else {
            to_float(from, to, width);
        }
    }
}

}  // namespace instructblip
