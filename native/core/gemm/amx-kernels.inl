// Tiles of floats of 16 bits (bfloat16): weights become such, with their scales and minima folded in, and so does x;
// sums are floats. The including file includes avx512-kernels.inl and defines the tiles' instructions, or what stands
// for them: TileShapes, TileUse (has them shaped as long as it lives), load_tile, store_tile and add_tile_product.

// Of panels: [K/2,panel,2].
constexpr int64_t tile_rows = 16;
constexpr int64_t bytes_of_pair_row = panel_rows * 4;

// 16 floats → the upper halves of words, rounded to the nearest, to even ones. What is no number stays so.
__m512i to_brain(Vec x) {
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded_bits = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    return _mm512_mask_mov_epi32(rounded_bits, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), _mm512_set1_epi32(0x7fc00000));
}

void quantize_brain(const float* x, int64_t columns, int64_t, uint8_t* values, float*, float*) {
    for (int64_t j = 0; j < columns; j += lanes) {
        const __m512i words = _mm512_srli_epi32(to_brain(load(x + j)), 16);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(values + 2 * j), _mm512_cvtepi32_epi16(words));
    }
}

// Four columns of 16 rows as bytes → floats, scaled → two rows of pairs.
void store_pairs(__m512i bytes, Vec scale, Vec min, uint8_t* to) {
    __m512i brain[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        const __m512i whole =
            _mm512_and_si512(_mm512_srli_epi32(bytes, static_cast<unsigned>(8 * i)), _mm512_set1_epi32(255));
        brain[i] = to_brain(_mm512_fmsub_ps(_mm512_cvtepi32_ps(whole), scale, min));
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
        const __m512i low = _mm512_srli_epi32(brain[2 * i], 16);
        _mm512_storeu_si512(to + i * bytes_of_pair_row, _mm512_mask_blend_epi16(0xaaaaaaaa, low, brain[2 * i + 1]));
    }
}

template <class Type>
void unpack_brain(const WeightRows& rows, int64_t column, int64_t columns, const QuantizedPanel& panel) {
    constexpr int64_t step = 256;
    alignas(64) uint8_t values[step * panel_rows];
    alignas(64) float scales[step / Type::group * panel_rows];
    alignas(64) float mins[step / Type::group * panel_rows];
    for (int64_t j = 0; j < columns; j += step) {
        const int64_t here = columns - j < step ? columns - j : step;
        unpack<Type>(rows, column + j, here, {values, scales, mins});
        for (int64_t i = 0; i < here; i += 4) {
            for (int64_t first = 0; first < panel_rows; first += lanes) {
                const int64_t at = i / Type::group * panel_rows + first;
                store_pairs(_mm512_loadu_si512(values + i * panel_rows + 4 * first), load(scales + at), load(mins + at),
                            panel.values + (j + i) / 2 * bytes_of_pair_row + 4 * first);
            }
        }
    }
}

// Tiles 0 to 3: sums, of the first rows of x and of the rest, each with both halves of the panel; 4 and 5: x; 6 and 7:
// the panel.
TileShapes shapes_of(int64_t first, int64_t rest) {
    const int64_t rows[8] = {first, first, rest, rest, first, rest, tile_rows, tile_rows};
    TileShapes shapes;
    for (int tile = 0; tile < 8; ++tile) shapes.set(tile, rows[tile]);
    return shapes;
}

template <bool has_rest>
void multiply_tiles(const QuantizedPanel& panel, int64_t columns, const QuantizedRows& x, int64_t first, float* sums) {
    constexpr int64_t sum_stride = panel_rows * static_cast<int64_t>(sizeof(float));
    float* const rest = sums + first * panel_rows;
    load_tile<0>(sums, sum_stride);
    load_tile<1>(sums + lanes, sum_stride);
    if constexpr (has_rest) {
        load_tile<2>(rest, sum_stride);
        load_tile<3>(rest + lanes, sum_stride);
    }
    for (int64_t j = 0; j < columns; j += block_size) {
        const uint8_t* const weights = panel.values + j / 2 * bytes_of_pair_row;
        load_tile<4>(x.values + 2 * j, x.value_stride);
        load_tile<6>(weights, bytes_of_pair_row);
        load_tile<7>(weights + 4 * lanes, bytes_of_pair_row);
        add_tile_product<0, 4, 6>();
        add_tile_product<1, 4, 7>();
        if constexpr (has_rest) {
            load_tile<5>(x.values + first * x.value_stride + 2 * j, x.value_stride);
            add_tile_product<2, 5, 6>();
            add_tile_product<3, 5, 7>();
        }
    }
    store_tile<0>(sums, sum_stride);
    store_tile<1>(sums + lanes, sum_stride);
    if constexpr (has_rest) {
        store_tile<2>(rest, sum_stride);
        store_tile<3>(rest + lanes, sum_stride);
    }
}

void multiply_brain(const QuantizedPanel& panel, int64_t columns, const QuantizedRows& x, int64_t rows, float* sums) {
    const int64_t first = rows < tile_rows ? rows : tile_rows;
    const TileUse use(shapes_of(first, rows - first));
    if (rows > first) return multiply_tiles<true>(panel, columns, x, first, sums);
    multiply_tiles<false>(panel, columns, x, first, sums);
}

constexpr NumberKind brain_numbers = {2, 2 * tile_rows, quantize_brain, multiply_brain};

template <class Type>
constexpr QuantizedFormat brain_format_of = {unpack_brain<Type>, Type::group, &brain_numbers, few_rows<Type>};

// Those of AVX-512, but whole numbers of 4 to 8 bits as bfloat16.
QuantizedFormat brain_format(int type) {
    const QuantizedFormat format =
        with_type_of(type, [](auto of) { return brain_format_of<typename decltype(of)::Type>; });
    return format.unpack != nullptr ? format : format_of_any(type);
}
