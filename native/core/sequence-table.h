// Which cache sequence each row of a session is, and how much of the session's share the rows take: the arithmetic of
// fork, reorder and drop, without a cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
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
    // No rows yet. `ids`: the sequence ids that the rows may use, as many as there may be rows. `cells`: cache cells
    // that all rows may take; cells that forked rows have in common count once.
    SequenceTable(const std::vector<int32_t>& ids, int32_t cells);

    int32_t row_count() const { return static_cast<int32_t>(rows_.size()); }
    int32_t id(int32_t row) const { return rows_[static_cast<size_t>(row)].id; }
    // Which call of begin() the row descends from, from 0.
    int32_t origin(int32_t row) const { return rows_[static_cast<size_t>(row)].origin; }
    // Tokens that the row holds: the position of its next one.
    int32_t length(int32_t row) const { return static_cast<int32_t>(cells(row).size()); }
    // Where they are, by number in the session's share, in the order of their positions.
    const std::vector<int32_t>& cells(int32_t row) const { return rows_[static_cast<size_t>(row)].cells; }

    // Adds an empty row behind the others and returns its index. Throws OPTION_INVALID when no id is left.
    int32_t begin();

    // Row i becomes what row parents[i] was. A parent may be used by several rows or by none.
    // Throws OPTION_INVALID for more rows than ids, none, or a parent that does not exist.
    SequenceMoves arrange(const std::vector<int32_t>& parents);

    // Takes `count` cells more for `row`. Throws CONTEXT_LENGTH_EXCEEDED with both numbers.
    void append(int32_t row, int32_t count);

    // Takes `count` cells for good that no row holds: the highest ones. Throws CONTEXT_LENGTH_EXCEEDED.
    std::vector<int32_t> set_apart(int32_t count);

  private:
    struct Row {
        int32_t id;
        int32_t origin;
        std::vector<int32_t> cells;  // of the share, by number
    };
    void check_parents(const std::vector<int32_t>& parents) const;
    SequenceMoves drop_unused(const std::vector<int32_t>& parents);
    void let_go(const Row& row);
    void require_free(int32_t count) const;

    std::vector<Row> rows_;
    std::vector<int32_t> free_ids_;
    int32_t begun_ = 0;
    std::vector<int32_t> cell_uses_;  // rows that hold each cell
    std::set<int32_t> free_cells_;    // numbers of cells that nobody holds; rows get the lowest
};

}  // namespace instructblip
