#include "token-embeddings.h"

#include <utility>

#include "row-quantizer.h"

namespace instructblip {

TokenEmbeddings::TokenEmbeddings(std::shared_ptr<const GgufFile> file)
    : file_(std::move(file)), table_(*file_->find_tensor("token_embd.weight")) {}

void TokenEmbeddings::append(const std::vector<int32_t>& tokens, std::vector<float>& rows) const {
    const int64_t width = table_.shape.back();
    const size_t row_bytes = ggml_row_size(table_.type, width);
    size_t end = rows.size();
    rows.resize(end + tokens.size() * static_cast<size_t>(width));
    for (const int32_t token : tokens) {
        to_floats(table_.type, table_.data + static_cast<size_t>(token) * row_bytes, width, rows.data() + end);
        end += static_cast<size_t>(width);
    }
}

}  // namespace instructblip
