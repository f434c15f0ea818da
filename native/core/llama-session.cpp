#include "llama-session.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "error.h"

namespace instructblip {
namespace {

// A batch with one sequence id for each row; the arrays that libllama wants, owned.
class Batch {
  public:
    explicit Batch(int32_t rows)
        : positions_(static_cast<size_t>(rows)),
          ids_(static_cast<size_t>(rows)),
          id_counts_(static_cast<size_t>(rows), 1),
          id_pointers_(static_cast<size_t>(rows)),
          outputs_(static_cast<size_t>(rows), 0) {
        std::transform(ids_.begin(), ids_.end(), id_pointers_.begin(), [](llama_seq_id& id) { return &id; });
    }

    void set(int32_t row, int32_t position, int32_t id, bool output) {
        const auto index = static_cast<size_t>(row);
        positions_[index] = position;
        ids_[index] = id;
        outputs_[index] = output ? 1 : 0;
    }

    // libllama takes pointers to what it does not write.
    llama_batch view(const float* embeddings, const int32_t* tokens) {
        return {static_cast<int32_t>(ids_.size()),
                const_cast<int32_t*>(tokens),
                const_cast<float*>(embeddings),
                positions_.data(),
                id_counts_.data(),
                id_pointers_.data(),
                outputs_.data()};
    }

  private:
    std::vector<llama_pos> positions_;
    std::vector<llama_seq_id> ids_;
    std::vector<int32_t> id_counts_;
    std::vector<llama_seq_id*> id_pointers_;
    std::vector<int8_t> outputs_;
};

}  // namespace

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
    const auto vocabulary = static_cast<int32_t>(context_->facts().vocabulary_size);
    for (const int32_t token : tokens) {
        if (token >= 0 && token < vocabulary) continue;
        throw ModelError("OPTION_INVALID", "token " + std::to_string(token) + " is none of the vocabulary's " +
                                               std::to_string(vocabulary));
    }
}

void LlamaSession::prefill(const std::vector<float>& soft_tokens, const std::vector<int32_t>& tokens,
                           const CancelToken& cancel, std::vector<float>& logits) {
    check_step(tokens);
    const auto width = static_cast<size_t>(context_->facts().embedding_length);
    if (soft_tokens.size() % width != 0 || soft_tokens.size() + tokens.size() == 0) {
        throw ModelError("OPTION_INVALID", "prefill takes rows of " + std::to_string(width) +
                                               " values and tokens, at least one of both; not " +
                                               std::to_string(soft_tokens.size()) + " values and " +
                                               std::to_string(tokens.size()) + " tokens");
    }
    if (table_.row_count() != 1) {
        throw ModelError("OPTION_INVALID", "prefill continues a session of one sequence, this one has " +
                                               std::to_string(table_.row_count()));
    }
    const auto soft_count = static_cast<int32_t>(soft_tokens.size() / width);
    const auto token_count = static_cast<int32_t>(tokens.size());
    SequenceTable(table_).append(0, soft_count + token_count);  // whether there is room, before anything is done
    broken_ = true;
    if (soft_count > 0) append(soft_tokens.data(), nullptr, soft_count, token_count == 0, cancel);
    if (token_count > 0) append(nullptr, tokens.data(), token_count, true, cancel);
    read_logits(1, logits);
    broken_ = false;
}

void LlamaSession::append(const float* embeddings, const int32_t* tokens, int32_t count, bool last,
                          const CancelToken& cancel) {
    const auto most = static_cast<int32_t>(llama_n_batch(context_->get()));
    const auto width = static_cast<int64_t>(context_->facts().embedding_length);
    for (int32_t first = 0; first < count; first += most) {
        const int32_t rows = std::min(most, count - first);
        Batch batch(rows);
        for (int32_t row = 0; row < rows; ++row) {
            batch.set(row, table_.length(0) + row, table_.id(0), last && first + row + 1 == count);
        }
        context_->decode(batch.view(embeddings == nullptr ? nullptr : embeddings + first * width,
                                    tokens == nullptr ? nullptr : tokens + first),
                         cancel);
        table_.append(0, rows);
    }
}

void LlamaSession::decode(const std::vector<int32_t>& tokens, const std::vector<int32_t>& parents,
                          const CancelToken& cancel, std::vector<float>& logits) {
    check_step(tokens);
    std::vector<int32_t> old_rows = parents;
    if (old_rows.empty()) {
        old_rows.resize(tokens.size());
        std::iota(old_rows.begin(), old_rows.end(), 0);
    }
    if (old_rows.size() != tokens.size()) {
        throw ModelError("OPTION_INVALID", std::to_string(tokens.size()) + " tokens came with " +
                                               std::to_string(parents.size()) + " parents");
    }
    // On a copy: when there is no room, nothing has happened.
    SequenceTable next = table_;
    const SequenceMoves moves = next.arrange(old_rows);
    const int32_t rows = next.row_count();
    Batch batch(rows);
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
