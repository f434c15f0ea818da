#include "llama-session.h"

#include <algorithm>
#include <utility>

#include "error.h"
#include "llama-batch.h"

namespace instructblip {

LlamaSession::LlamaSession(std::shared_ptr<LlamaContext> context, int32_t cells, int32_t sequences)
    : context_(std::move(context)),
      share_(context_->shares().take(cells, sequences)),
      table_(share_.sequence_ids, cells) {}

LlamaSession::~LlamaSession() {
    for (const int32_t id : share_.sequence_ids) llama_memory_seq_rm(context_->memory(), id, -1, -1);
    release();
}

void LlamaSession::release() {
    if (!released_.exchange(true)) context_->shares().give_back(share_);
}

void LlamaSession::check_step(const std::vector<int32_t>& tokens) const {
    if (released_ || broken_) throw ModelError("DISPOSED", "the session has ended");
    check_tokens(tokens, context_->facts().vocabulary_size);
}

void LlamaSession::prefill(const Prompt& prompt, const CancelToken& cancel, std::vector<float>& logits) {
    std::vector<int32_t> tokens = prompt.tokens;
    tokens.insert(tokens.end(), prompt.answer_start.begin(), prompt.answer_start.end());
    check_step(tokens);
    const int32_t count =
        count_soft_tokens(prompt.soft_tokens, context_->facts().embedding_length) + static_cast<int32_t>(tokens.size());
    if (count == 0) throw ModelError("OPTION_INVALID", "a prompt has at least one row");
    SequenceTable room = table_;  // whether there is room, before anything is done
    room.append(room.begin(), count);
    std::vector<float> embeddings = prompt.soft_tokens;
    context_->embeddings().append(tokens, embeddings);
    broken_ = true;
    append(table_.begin(), embeddings.data(), count, cancel);
    read_logits(1, logits);
    broken_ = false;
}

void LlamaSession::append(int32_t row, const float* embeddings, int32_t count, const CancelToken& cancel) {
    const auto most = static_cast<int32_t>(llama_n_batch(context_->get()));
    const auto width = static_cast<int64_t>(context_->facts().embedding_length);
    for (int32_t first = 0; first < count; first += most) {
        const int32_t rows = std::min(most, count - first);
        LlamaBatch batch(rows);
        for (int32_t i = 0; i < rows; ++i) {
            batch.set(i, table_.length(row) + i, table_.id(row), first + i + 1 == count);
        }
        context_->decode(batch.view(embeddings + first * width, nullptr), cancel);
        table_.append(row, rows);
    }
}

void LlamaSession::decode(const std::vector<int32_t>& tokens, const std::vector<int32_t>& parents,
                          const CancelToken& cancel, std::vector<float>& logits) {
    check_step(tokens);
    // On a copy: when there is no room, nothing has happened.
    SequenceTable next = table_;
    const SequenceMoves moves = next.arrange(complete_parents(tokens, parents));
    const auto rows = static_cast<int32_t>(tokens.size());
    LlamaBatch batch(rows);
    for (int32_t row = 0; row < rows; ++row) {
        batch.set(row, next.length(row), next.id(row), true);
        next.append(row, 1);
    }
    broken_ = true;
    move(moves);
    context_->decode(batch.view(nullptr, tokens.data()), cancel);
    read_logits(rows, logits);
    table_ = std::move(next);
    broken_ = false;
}

void LlamaSession::move(const SequenceMoves& moves) const {
    llama_memory_t memory = context_->memory();
    for (const int32_t id : moves.drops) llama_memory_seq_rm(memory, id, -1, -1);
    for (const auto& [from, to] : moves.forks) llama_memory_seq_cp(memory, from, to, -1, -1);
}

// Rows of the last batch that were outputs, in order.
void LlamaSession::read_logits(int32_t rows, std::vector<float>& logits) const {
    const auto vocabulary = static_cast<size_t>(context_->facts().vocabulary_size);
    const float* const values = llama_get_logits(context_->get());
    logits.assign(values, values + static_cast<size_t>(rows) * vocabulary);
}

}  // namespace instructblip
