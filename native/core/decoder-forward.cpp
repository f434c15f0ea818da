#include "decoder-forward.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <utility>

#include "attention-mask.h"
#include "error.h"
#include "language-model.h"

namespace instructblip {
namespace {

// HF: a decoder-only model (OPT) counts what the mask leaves and gives the rest -1; a T5 decoder counts all.
std::vector<int32_t> positions_of(const std::vector<int32_t>& mask, bool counts_all) {
    std::vector<int32_t> positions(mask.size());
    if (counts_all) {
        std::iota(positions.begin(), positions.end(), 0);
        return positions;
    }
    int32_t next = 0;
    for (size_t row = 0; row < mask.size(); ++row) positions[row] = mask[row] == 0 ? -1 : next++;
    return positions;
}

void check_positions(const DecoderModel& model, const std::vector<int32_t>& mask) {
    const int64_t most = model.max_positions();
    const int64_t count = std::accumulate(mask.begin(), mask.end(), int64_t{0});
    if (most == 0 || count <= most) return;
    throw ModelError("CONTEXT_LENGTH_EXCEEDED", "picture and prompt are " + std::to_string(count) +
                                                    " tokens, but the model has " + std::to_string(most) +
                                                    " positions: shorten the prompt");
}

}  // namespace

void forward(DecoderModel& model, const ForwardInput& input, const CancelToken& cancel, Trace& trace) {
    const bool encodes = model.has_encoder();
    check_forward_input(input, encodes);
    check_tokens(input.tokens, model.vocabulary_size());
    check_tokens(input.answer, model.vocabulary_size());
    const int64_t soft_count = count_soft_tokens(input.soft_tokens, model.embedding_length());
    const auto token_count = static_cast<int64_t>(input.tokens.size());
    const std::vector<int32_t> prompt_mask = whole_mask(soft_count, input.mask, token_count);
    const std::vector<int32_t> mask =
        encodes ? whole_mask(0, input.answer_mask, static_cast<int64_t>(input.answer.size())) : prompt_mask;
    check_positions(model, mask);

    // Cells of a cache of its own: an encoder's rows, then the decoder's.
    const int64_t encoder_count = encodes ? static_cast<int64_t>(prompt_mask.size()) : 0;
    const int64_t own_first = GGML_PAD(encoder_count, VisibleCells::alignment);
    const auto row_count = static_cast<int64_t>(mask.size());
    model.require_score_memory(std::max(encoder_count, row_count));
    const std::unique_ptr<KvCache> cache =
        model.create_cache(static_cast<int32_t>(own_first + row_count), GGML_TYPE_F32);
    if (encodes) {
        std::vector<int32_t> cells(prompt_mask.size());
        std::iota(cells.begin(), cells.end(), 0);
        model.encode({input.soft_tokens, input.tokens, {}}, prompt_mask, *cache, cells, cancel, &trace);
    }

    DecoderRows rows{};
    rows.tokens = encodes ? input.answer : input.tokens;
    if (!encodes) rows.soft_tokens = input.soft_tokens;
    rows.positions = positions_of(mask, encodes);
    rows.cells.resize(mask.size());
    std::iota(rows.cells.begin(), rows.cells.end(), static_cast<int32_t>(own_first));
    rows.own = {own_first, row_count, causal_positions(mask, rows.positions)};
    rows.encoder = {0, encoder_count, encodes ? positions_of_keys(prompt_mask, row_count) : std::vector<int32_t>()};
    rows.outputs = row_count;
    std::vector<float> logits;
    model.decode(rows, *cache, cancel, &trace, logits);
    trace.add_wanted("language.logits", {{row_count, model.vocabulary_size()}, std::move(logits)});
}

}  // namespace instructblip
