#include "decoder-session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "error.h"

namespace instructblip {
namespace {

// Rows of one graph: more cost memory for attention scores and make a cancel wait; prompts rarely have as many.
constexpr int32_t rows_per_graph = 256;

// What rows see, from the cells that each sees in the order of their positions.
VisibleCells visible_cells(const std::vector<std::vector<int32_t>>& seen) {
    int32_t first = -1;
    int32_t end = 0;
    for (const std::vector<int32_t>& cells : seen) {
        for (const int32_t cell : cells) {
            first = first < 0 ? cell : std::min(first, cell);
            end = std::max(end, cell + 1);
        }
    }
    first = std::max(first, 0);
    first -= first % VisibleCells::alignment;
    VisibleCells visible{first, end - first, {}};
    visible.positions.assign(seen.size() * static_cast<size_t>(visible.count), -1);
    for (size_t row = 0; row < seen.size(); ++row) {
        int32_t* const positions = visible.positions.data() + row * static_cast<size_t>(visible.count);
        int32_t position = 0;
        for (const int32_t cell : seen[row]) positions[cell - first] = position++;
    }
    return visible;
}

void check_positions(const DecoderModel& model, int64_t length) {
    const int64_t most = model.max_positions();
    if (most == 0 || length <= most) return;
    throw ModelError("CONTEXT_LENGTH_EXCEEDED", "picture, question and answer would be " + std::to_string(length) +
                                                    " tokens, but the model has " + std::to_string(most) +
                                                    " positions: shorten the question or maxNewTokens");
}

}  // namespace

DecoderSession::DecoderSession(std::shared_ptr<DecoderModel> model, int32_t cells, int32_t sequences)
    : model_(std::move(model)), share_(model_->shares().take(cells, sequences)), table_(share_.sequence_ids, cells) {}

void DecoderSession::release() {
    if (!released_.exchange(true)) model_->shares().give_back(share_);
}

void DecoderSession::check_step(const std::vector<int32_t>& tokens) const {
    if (released_ || broken_) throw ModelError("DISPOSED", "the session has ended");
    check_tokens(tokens, model_->vocabulary_size());
}

KvCache& DecoderSession::cache() {
    if (!cache_) cache_ = model_->create_cache(share_.cells);
    return *cache_;
}

void DecoderSession::prefill(const Prompt& prompt, const CancelToken& cancel, std::vector<float>& logits) {
    check_step(prompt.tokens);
    check_step(prompt.answer_start);
    const bool encodes = model_->has_encoder();
    const int32_t soft_count = count_soft_tokens(prompt.soft_tokens, model_->embedding_length());
    const auto prompt_count = soft_count + static_cast<int32_t>(prompt.tokens.size());
    const auto answer_count = static_cast<int32_t>(prompt.answer_start.size());
    if (encodes && (prompt_count == 0 || answer_count == 0)) {
        throw ModelError("OPTION_INVALID", "an encoder-decoder needs a prompt and a token that the answer starts with");
    }
    if (prompt_count + answer_count == 0) throw ModelError("OPTION_INVALID", "a prompt has at least one row");
    check_positions(*model_, prompt_count + answer_count);
    SequenceTable room = table_;  // whether there is room, before anything is done
    room.append(room.begin(), prompt_count + answer_count);
    broken_ = true;
    const int32_t sequence = table_.begin();
    encoder_cells_.push_back(encodes ? table_.set_apart(prompt_count) : std::vector<int32_t>());
    if (encodes) {
        model_->encode(prompt, {}, cache(), encoder_cells_.back(), cancel, nullptr);
    } else {
        append(sequence, prompt.soft_tokens.data(), nullptr, soft_count, cancel, logits);
        append(sequence, nullptr, prompt.tokens.data(), prompt_count - soft_count, cancel, logits);
    }
    append(sequence, nullptr, prompt.answer_start.data(), answer_count, cancel, logits);
    broken_ = false;
}

void DecoderSession::append(int32_t sequence, const float* soft_tokens, const int32_t* tokens, int32_t count,
                            const CancelToken& cancel, std::vector<float>& logits) {
    const int64_t width = model_->embedding_length();
    for (int32_t first = 0; first < count; first += rows_per_graph) {
        const int32_t row_count = std::min(rows_per_graph, count - first);
        const int32_t start = table_.length(sequence);
        table_.append(sequence, row_count);
        std::vector<Place> places(static_cast<size_t>(row_count));
        for (int32_t i = 0; i < row_count; ++i) places[static_cast<size_t>(i)] = {sequence, start + i};
        DecoderRows rows = rows_at(table_, places);
        if (tokens != nullptr) rows.tokens.assign(tokens + first, tokens + first + row_count);
        if (soft_tokens != nullptr) {
            rows.soft_tokens.assign(soft_tokens + first * width, soft_tokens + (first + row_count) * width);
        }
        rows.outputs = 1;
        model_->decode(rows, cache(), cancel, nullptr, logits);
    }
}

void DecoderSession::decode(const std::vector<int32_t>& tokens, const std::vector<int32_t>& parents,
                            const CancelToken& cancel, std::vector<float>& logits) {
    check_step(tokens);
    // On a copy: when there is no room, nothing has happened.
    SequenceTable next = table_;
    next.arrange(complete_parents(tokens, parents));
    std::vector<Place> places;
    const auto row_count = static_cast<int32_t>(tokens.size());
    for (int32_t row = 0; row < row_count; ++row) {
        places.push_back({row, next.length(row)});
        check_positions(*model_, next.length(row) + 1);
        next.append(row, 1);
    }
    DecoderRows rows = rows_at(next, places);
    rows.tokens = tokens;
    rows.outputs = row_count;
    broken_ = true;
    model_->decode(rows, cache(), cancel, nullptr, logits);
    table_ = std::move(next);
    broken_ = false;
}

// All of a step's rows but their inputs: `table` holds the cells of their tokens already.
DecoderRows DecoderSession::rows_at(const SequenceTable& table, const std::vector<Place>& places) const {
    DecoderRows rows{};
    std::vector<std::vector<int32_t>> own;
    std::vector<std::vector<int32_t>> encoder;
    for (const Place& place : places) {
        const std::vector<int32_t>& cells = table.cells(place.sequence);
        rows.positions.push_back(place.position);
        rows.cells.push_back(cells[static_cast<size_t>(place.position)]);
        own.emplace_back(cells.begin(), cells.begin() + place.position + 1);
        encoder.push_back(encoder_cells_[static_cast<size_t>(table.origin(place.sequence))]);
    }
    rows.own = visible_cells(own);
    rows.encoder = visible_cells(encoder);
    return rows;
}

}  // namespace instructblip
