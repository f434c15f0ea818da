#include "sequence-table.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "error.h"

namespace instructblip {

SequenceTable::SequenceTable(const std::vector<int32_t>& ids, int32_t cells)
    : free_ids_(ids.rbegin(), ids.rend()), cell_uses_(static_cast<size_t>(cells), 0) {
    for (int32_t cell = 0; cell < cells; ++cell) free_cells_.insert(free_cells_.end(), cell);
}

int32_t SequenceTable::begin() {
    if (free_ids_.empty()) {
        throw ModelError("OPTION_INVALID", "all " + std::to_string(rows_.size()) +
                                               " sequences of the session are in use: create it for more");
    }
    rows_.push_back({free_ids_.back(), begun_++, {}});
    free_ids_.pop_back();
    return row_count() - 1;
}

void SequenceTable::check_parents(const std::vector<int32_t>& parents) const {
    const size_t most = rows_.size() + free_ids_.size();
    if (parents.empty() || parents.size() > most) {
        throw ModelError("OPTION_INVALID", "a step has 1.." + std::to_string(most) + " rows in this session, not " +
                                               std::to_string(parents.size()));
    }
    for (const int32_t parent : parents) {
        if (parent >= 0 && parent < row_count()) continue;
        throw ModelError("OPTION_INVALID", "parent " + std::to_string(parent) + " is none of the last step's " +
                                               std::to_string(row_count()) + " rows");
    }
}

void SequenceTable::let_go(const Row& row) {
    for (const int32_t cell : row.cells) {
        if (--cell_uses_[static_cast<size_t>(cell)] == 0) free_cells_.insert(cell);
    }
    free_ids_.push_back(row.id);
}

SequenceMoves SequenceTable::drop_unused(const std::vector<int32_t>& parents) {
    SequenceMoves moves;
    for (int32_t row = 0; row < row_count(); ++row) {
        if (std::find(parents.begin(), parents.end(), row) != parents.end()) continue;
        moves.drops.push_back(id(row));
        let_go(rows_[static_cast<size_t>(row)]);
    }
    return moves;
}

SequenceMoves SequenceTable::arrange(const std::vector<int32_t>& parents) {
    check_parents(parents);
    SequenceMoves moves = drop_unused(parents);
    std::vector<Row> rows;
    std::vector<bool> continued(rows_.size(), false);
    for (const int32_t parent : parents) {
        const auto index = static_cast<size_t>(parent);
        Row row = rows_[index];
        // The first row goes on in the parent's own sequence: in the common case nothing moves at all.
        if (continued[index]) {
            row.id = free_ids_.back();
            free_ids_.pop_back();
            moves.forks.emplace_back(rows_[index].id, row.id);
            for (const int32_t cell : row.cells) ++cell_uses_[static_cast<size_t>(cell)];
        }
        continued[index] = true;
        rows.push_back(std::move(row));
    }
    rows_ = std::move(rows);
    return moves;
}

void SequenceTable::require_free(int32_t count) const {
    if (count <= static_cast<int32_t>(free_cells_.size())) return;
    throw ModelError("CONTEXT_LENGTH_EXCEEDED",
                     "the session has " + std::to_string(free_cells_.size()) + " of " +
                         std::to_string(cell_uses_.size()) + " cells left, the step needs " + std::to_string(count) +
                         ": ask for fewer beams or tokens, or load with a larger contextSize");
}

void SequenceTable::append(int32_t row, int32_t count) {
    require_free(count);
    std::vector<int32_t>& cells = rows_[static_cast<size_t>(row)].cells;
    for (int32_t i = 0; i < count; ++i) {
        const int32_t cell = *free_cells_.begin();
        free_cells_.erase(free_cells_.begin());
        cell_uses_[static_cast<size_t>(cell)] = 1;
        cells.push_back(cell);
    }
}

std::vector<int32_t> SequenceTable::set_apart(int32_t count) {
    require_free(count);
    const auto first = std::prev(free_cells_.end(), count);
    std::vector<int32_t> cells(first, free_cells_.end());
    free_cells_.erase(first, free_cells_.end());
    return cells;
}

}  // namespace instructblip
