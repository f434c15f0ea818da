// From a type's number to how its weights become a panel. The including file defines columns_per_word (of one row, in
// four bytes of a panel), unpack_values and unpack_scales (of `lanes` rows), and few_rows and numbers_of a type.

template <class Type>
void unpack(const WeightRows& rows, int64_t column, int64_t columns, const QuantizedPanel& panel) {
    for (int64_t first = 0; first < panel_rows; first += lanes) {
        for (int64_t j = 0; j < columns; j += columns_at_once<Type>) {
            const int64_t count = columns - j < columns_at_once<Type> ? columns - j : columns_at_once<Type>;
            unpack_values<Type>(rows, first, column + j, count,
                                panel.values + (j / columns_per_word * panel_rows + first) * 4);
        }
        for (int64_t j = 0; j < columns; j += 8 * Type::group) {
            const int64_t groups = columns - j < 8 * Type::group ? (columns - j) / Type::group : 8;
            const int64_t offset = j / Type::group * panel_rows + first;
            unpack_scales<Type>(rows, first, column + j, groups, panel.scales + offset, panel.mins + offset);
        }
    }
}

template <class T>
struct Of {
    using Type = T;
};

// make(Of<Type>) for the type with this number; none for others.
template <class Make>
QuantizedFormat with_type_of(int number, const Make& make) {
    switch (number) {
        case GGML_TYPE_Q8_0:
            return make(Of<Blocks<Q8_0>>{});
        case GGML_TYPE_Q4_0:
            return make(Of<Blocks<Q4_0>>{});
        case GGML_TYPE_Q4_1:
            return make(Of<Blocks<Q4_1>>{});
        case GGML_TYPE_Q5_0:
            return make(Of<Blocks<Q5_0>>{});
        case GGML_TYPE_Q5_1:
            return make(Of<Blocks<Q5_1>>{});
        case GGML_TYPE_Q4_K:
            return make(Of<Q4_K>{});
        case GGML_TYPE_Q5_K:
            return make(Of<Q5_K>{});
        case GGML_TYPE_Q6_K:
            return make(Of<Q6_K>{});
        default:
            return {};
    }
}

template <class Type>
constexpr QuantizedFormat format_of = {unpack<Type>, Type::group, &numbers_of<Type>, few_rows<Type>};

QuantizedFormat format(int type) {
    return with_type_of(type, [](auto of) { return format_of<typename decltype(of)::Type>; });
}
