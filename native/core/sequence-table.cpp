#include "sequence-table.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "error.h"

namespace instructblip {

SequenceTable::SequenceTable(const std::vector<int32_t>& ids, int32_t cells)
    : free_ids_(ids.rbegin(), ids.rend()),
      cell_uses_(static_cast<size_t>(cells), 0),
      free_cells_(static_cast<size_t>(cells)) {
    std::iota(free_cells_.rbegin(), free_cells_.rend(), 0);
    rows_.push_back({free_ids_.back(), {}});
    free_ids_.pop_back();
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
        if (--cell_uses_[static_cast<size_t>(cell)] == 0) free_cells_.push_back(cell);
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

void SequenceTable::append(int32_t row, int32_t count) {
    if (count > static_cast<int32_t>(free_cells_.size())) {
        throw ModelError("CONTEXT_LENGTH_EXCEEDED", "the session has " + std::to_string(free_cells_.size()) + " of " +
                                                        std::to_string(cell_uses_.size()) +
                                                        " cells left, the step needs " + std::to_string(count) +
                                                        ": reserve more cells, or load with a larger contextSize");
    }
    std::vector<int32_t>& cells = rows_[static_cast<size_t>(row)].cells;
    for (int32_t i = 0; i < count; ++i) {
        cells.push_back(free_cells_.back());
        cell_uses_[static_cast<size_t>(free_cells_.back())] = 1;
        free_cells_.pop_back();
    }
}

}  // namespace instructblip
