// Rows of floats → a panel of floats, without masked loads. The including file defines Words (a vector of 32 bits
// each), store_words and transpose (of lanes x lanes), and types with `bytes` and `read` (of `lanes` values, as
// floats).

// The last columns, of which there are not `lanes`.
template <class Type>
Words read_rest(const uint8_t* from, int64_t count) {
    uint8_t rest[lanes * Type::bytes] = {};
    __builtin_memcpy(rest, from, static_cast<size_t>(count) * Type::bytes);
    return Type::read(rest);
}

template <class Type>
void pack(const WeightRows& rows, int64_t column, int64_t columns, float* panel) {
    for (int64_t first = 0; first < panel_rows; first += lanes) {
        for (int64_t j = 0; j < columns; j += lanes) {
            const int64_t count = columns - j < lanes ? columns - j : lanes;
            Words block[lanes];
            for (int64_t i = 0; i < lanes; ++i) {
                const uint8_t* const from = row_of(rows, first + i) + (column + j) * Type::bytes;
                block[i] = count == lanes ? Type::read(from) : read_rest<Type>(from, count);
            }
            transpose(block);
            float* const to = panel + j * panel_rows + first;
            for (int64_t i = 0; i < count; ++i) store_words(to + i * panel_rows, block[i]);
        }
    }
}
