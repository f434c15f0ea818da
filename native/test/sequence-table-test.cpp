// The bookkeeping of a session's sequences, against a model that copies everything; and the shares of the cache.
#include "sequence-table.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "cache-shares.h"
#include "check.h"

using namespace instructblip;

namespace {

// A cache that does what it is told: which tokens each sequence id holds.
using Cache = std::map<int32_t, std::vector<int>>;

void apply(Cache& cache, const SequenceMoves& moves) {
    for (const int32_t id : moves.drops) cache.erase(id);
    for (const auto& [from, to] : moves.forks) {
        CHECK_THAT(cache.count(to) == 0, "a fork goes to a free sequence");
        cache[to] = cache.at(from);
    }
}

void test_forks_and_drops() {
    SequenceTable table({4, 7, 9}, 20);
    CHECK(table.row_count() == 0 && table.begin() == 0);
    table.append(0, 5);
    CHECK(table.row_count() == 1 && table.id(0) == 4 && table.length(0) == 5);
    SequenceMoves moves = table.arrange({0, 0, 0});
    CHECK(moves.drops.empty() && moves.forks.size() == 2);
    for (int32_t row = 0; row < 3; ++row) table.append(row, 1);
    CHECK(table.length(2) == 6);
    moves = table.arrange({2, 0});
    CHECK(moves.drops.size() == 1 && moves.forks.empty());
    CHECK(table.row_count() == 2 && table.length(0) == 6);
    moves = table.arrange({0, 1});
    CHECK_THAT(moves.drops.empty() && moves.forks.empty(), "identity moves nothing");
}

// Many random steps: every row must hold what a full copy holds, and cells must neither leak nor be counted twice.
void test_against_copies() {
    std::mt19937 random(11);
    constexpr int32_t cells = 64;
    for (int round = 0; round < 200; ++round) {
        SequenceTable table({0, 1, 2, 3, 4}, cells);
        table.begin();
        Cache cache{{0, {}}};
        std::vector<std::vector<int>> wanted(1);  // tokens of each row: each token has a number of its own
        int next_token = 0;
        for (int step = 0; step < 30; ++step) {
            std::vector<int32_t> parents(1 + random() % 5);
            for (int32_t& parent : parents) parent = static_cast<int32_t>(random() % wanted.size());
            std::vector<std::vector<int>> rows;
            rows.reserve(parents.size());
            for (const int32_t parent : parents) rows.push_back(wanted[static_cast<size_t>(parent)]);
            SequenceTable next = table;
            const SequenceMoves moves = next.arrange(parents);
            std::set<int> held;
            for (const auto& row : rows) held.insert(row.begin(), row.end());
            const bool fits = held.size() + rows.size() <= cells;
            const std::string code = check::error_code([&] {
                for (int32_t row = 0; row < next.row_count(); ++row) next.append(row, 1);
            });
            CHECK_THAT(code == (fits ? "nothing" : "CONTEXT_LENGTH_EXCEEDED"), code);
            if (!fits) break;
            table = next;
            apply(cache, moves);
            wanted = rows;
            for (int32_t row = 0; row < table.row_count(); ++row) {
                auto& tokens = wanted[static_cast<size_t>(row)];
                tokens.push_back(next_token);
                cache.at(table.id(row)).push_back(next_token++);
                CHECK(cache.at(table.id(row)) == tokens);
                CHECK(table.length(row) == static_cast<int32_t>(tokens.size()));
            }
            CHECK(cache.size() == wanted.size());
        }
    }
}

void test_origins_and_cells_set_apart() {
    SequenceTable table({0, 1, 2}, 10);
    table.begin();
    table.append(0, 2);
    CHECK((table.set_apart(3) == std::vector<int32_t>{7, 8, 9}));
    CHECK(table.begin() == 1);
    table.append(1, 1);
    CHECK((table.cells(0) == std::vector<int32_t>{0, 1} && table.cells(1) == std::vector<int32_t>{2}));
    CHECK(table.origin(0) == 0 && table.origin(1) == 1);
    table.arrange({1, 0, 1});
    CHECK(table.origin(0) == 1 && table.origin(1) == 0 && table.origin(2) == 1);
    CHECK((table.cells(1) == std::vector<int32_t>{0, 1} && table.cells(2) == table.cells(0)));
    CHECK_ERROR("OPTION_INVALID", "all 3 sequences", table.begin());
    table.arrange({0});
    table.append(0, 1);
    CHECK_THAT(table.cells(0) == (std::vector<int32_t>{2, 0}), "the lowest cells first");
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", "5 of 10 cells left, the step needs 6", table.set_apart(6));
    CHECK(table.begin() == 1 && table.origin(1) == 2);
}

void test_errors() {
    SequenceTable table({0, 1}, 3);
    table.begin();
    CHECK_ERROR("OPTION_INVALID", "1..2 rows", table.arrange({}));
    CHECK_ERROR("OPTION_INVALID", "1..2 rows", table.arrange({0, 0, 0}));
    CHECK_ERROR("OPTION_INVALID", "parent 1", table.arrange({1}));
    CHECK_ERROR("OPTION_INVALID", "parent -1", table.arrange({-1}));
    table.append(0, 2);
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", "1 of 3 cells left, the step needs 2", table.append(0, 2));
    table.append(0, 1);
    CHECK(table.length(0) == 3);
}

void test_shares() {
    CacheShares shares(100, 4);
    const CacheShares::Share first = shares.take(60, 3);
    CHECK(first.cells == 60 && first.sequence_ids.size() == 3);
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", "40 and 1 are free", shares.take(41, 1));
    CHECK_ERROR("CONTEXT_LENGTH_EXCEEDED", "40 and 1 are free", shares.take(1, 2));
    CHECK_ERROR("OPTION_INVALID", "at least one cell", shares.take(0, 1));
    CHECK_ERROR("OPTION_INVALID", "at least one cell", shares.take(1, 0));
    const CacheShares::Share second = shares.take(40, 1);
    std::vector<int32_t> ids = first.sequence_ids;
    ids.insert(ids.end(), second.sequence_ids.begin(), second.sequence_ids.end());
    std::sort(ids.begin(), ids.end());
    CHECK((ids == std::vector<int32_t>{0, 1, 2, 3}));
    shares.give_back(first);
    shares.give_back(second);
    CHECK(shares.take(100, 4).sequence_ids.size() == 4);
}

}  // namespace

int main() {
    test_forks_and_drops();
    test_against_copies();
    test_origins_and_cells_set_apart();
    test_errors();
    test_shares();
    return check::report();
}
