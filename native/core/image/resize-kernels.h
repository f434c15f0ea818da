// The inner loops of resizing, for one CPU or another.
#pragma once

#include <cstdint>

#include "image/resize-filter.h"

namespace instructblip::image {

// Bytes that a row's memory reaches beyond its last pixel, to be read and not used.
constexpr int64_t row_padding = 16;

struct ResizeKernels {
    const char* name;
    // row [W,3] → output [filter.size,3]
    void (*resize_row)(const uint8_t* row, const ResizeFilter& filter, uint8_t* output);
    // `count` rows of `length` bytes, one behind the other, times `weights` → output [length]; sums [length] is
    // scratch.
    void (*mix_rows)(const uint8_t* rows, int64_t length, int64_t count, const int32_t* weights, uint32_t* sums,
                     uint8_t* output);
};

extern const ResizeKernels portable_resize_kernels;
#if defined(__x86_64__) && defined(__GNUC__)
#define INSTRUCTBLIP_RESIZE_AVX2
extern const ResizeKernels avx2_resize_kernels;
#endif

// The fastest that this CPU has.
const ResizeKernels& choose_resize_kernels();

}  // namespace instructblip::image
