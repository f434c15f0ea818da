// Which cache sequence each row of a session is, and how much of the session's share the rows take: the arithmetic of
// fork, reorder and drop, without a cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace instructblip {

// What the cache has to do before a step, in this order. Sequence ids.
struct SequenceMoves {
    std::vector<int32_t> drops;
    std::vector<std::pair<int32_t, int32_t>> forks;  // from, to
};

class SequenceTable {
  public:
    // One empty row. `ids`: the sequence ids that the rows may use, as many as there may be rows. `cells`: cache cells
    // that all rows may take; cells that forked rows have in common count once.
    SequenceTable(const std::vector<int32_t>& ids, int32_t cells);

    int32_t row_count() const { return static_cast<int32_t>(rows_.size()); }
    int32_t id(int32_t row) const { return rows_[static_cast<size_t>(row)].id; }
    // Tokens that the row holds: the position of its next one.
    int32_t length(int32_t row) const { return static_cast<int32_t>(rows_[static_cast<size_t>(row)].cells.size()); }

    // Row i becomes what row parents[i] was. A parent may be used by several rows or by none.
    // Throws OPTION_INVALID for more rows than ids, none, or a parent that does not exist.
    SequenceMoves arrange(const std::vector<int32_t>& parents);

    // Takes `count` cells more for `row`. Throws CONTEXT_LENGTH_EXCEEDED with both numbers.
    void append(int32_t row, int32_t count);

  private:
    struct Row {
        int32_t id;
        std::vector<int32_t> cells;  // of the share, by number
    };
    void check_parents(const std::vector<int32_t>& parents) const;
    SequenceMoves drop_unused(const std::vector<int32_t>& parents);
    void let_go(const Row& row);

    std::vector<Row> rows_;
    std::vector<int32_t> free_ids_;
    std::vector<int32_t> cell_uses_;   // rows that hold each cell
    std::vector<int32_t> free_cells_;  // numbers of cells that no row holds
};

}  // namespace instructblip
