// Rows of the embedding table, of every type that a file may have it in, and in a shape with a leading one.
#include "token-embeddings.h"

#include <string>
#include <vector>

#include "check.h"
#include "gguf-file.h"
#include "gguf-writer.h"

using namespace instructblip;

namespace {

constexpr int64_t vocabulary = 7;
constexpr int64_t width = 512;

void test(ggml_type type, const std::vector<int64_t>& shape) {
    std::vector<float> values(static_cast<size_t>(vocabulary * width));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 97) / 50 - 1;
    gguf_writer::File file;
    file.tensors.push_back({"other.weight", GGML_TYPE_F32, {3}, std::string(12, '\1')});
    file.tensors.push_back(
        {"token_embd.weight", static_cast<uint32_t>(type), shape, gguf_writer::encode(type, values, width)});
    const std::vector<float> table = gguf_writer::decode(type, file.tensors.back().data, values.size());
    const gguf_writer::TemporaryFile written(file.bytes());
    const TokenEmbeddings embeddings(GgufFile::open(written.path()));

    std::vector<float> rows = {1, 2};
    embeddings.append({6, 0, 6}, rows);
    std::vector<float> expected = {1, 2};
    for (const int64_t token : {6, 0, 6}) {
        const auto first = table.begin() + token * width;
        expected.insert(expected.end(), first, first + width);
    }
    CHECK_THAT(rows == expected, ggml_type_name(type));
    embeddings.append({}, rows);
    CHECK(rows == expected);
}

}  // namespace

int main() {
    for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0,
                                 GGML_TYPE_Q4_K, GGML_TYPE_Q6_K}) {
        test(type, {vocabulary, width});
        test(type, {1, vocabulary, width});
    }
    return check::report();
}
