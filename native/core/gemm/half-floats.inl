// Weights of 16 bits (F16, BF16) → a panel of whole numbers up to 8191 (Wide), scaled in groups of 32: twice as many
// products an instruction as with floats, and as precise as the engine's own, which round x to F16. The including file
// defines Words (of 32 bits: two columns of `lanes` rows), read_words (32 columns of so many rows, transposed), sizes
// (without signs), larger (of each 16 bits), high_half (moved to the low one), whole_pair (two vectors of floats →
// words) and store_words; in F16 and BF16 low_floats and high_floats (of what is finite), and any_floats (of low
// halves).

constexpr int64_t words_of_block = block_size / 2;

template <class Type>
void unpack_halves(const WeightRows& rows, int64_t column, int64_t columns, const QuantizedPanel& panel) {
    for (int64_t first = 0; first < panel_rows; first += lanes) {
        for (int64_t j = 0; j < columns; j += block_size) {
            Words words[words_of_block];
            read_words(rows, first, (column + j) * 2, words);
            Words bits = sizes(words[0]);
            for (const Words& word : words) bits = larger(bits, sizes(word));
            const Vec most = Type::any_floats(larger(bits, high_half(bits)));
            store(panel.scales + j / block_size * panel_rows + first, mul(most, set1(1 / Wide::limit)));
            // Where all are zero this is no number, which becomes a zero in 16 bits.
            const Vec factor = divide(set1(Wide::limit), most);
            auto* const to = reinterpret_cast<float*>(panel.values) + j / 2 * panel_rows + first;
            for (int64_t i = 0; i < words_of_block; ++i) {
                const Words pair =
                    whole_pair(mul(Type::low_floats(words[i]), factor), mul(Type::high_floats(words[i]), factor));
                store_words(to + i * panel_rows, pair);
            }
        }
    }
}

template <class Type>
constexpr QuantizedFormat format_of_halves = {unpack_halves<Type>, block_size, &wide_numbers, {}};

// Those of quantized-formats.inl, and these.
QuantizedFormat format_of_any(int type) {
    switch (type) {
        case GGML_TYPE_F16:
            return format_of_halves<F16>;
        case GGML_TYPE_BF16:
            return format_of_halves<BF16>;
        default:
            return format(type);
    }
}
