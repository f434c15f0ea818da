// Pictures made larger or smaller as Pillow 9.4 does it with BICUBIC, bit for bit (`ImagingResample`,
// libImaging/Resample.c).
#pragma once

#include <cstdint>
#include <vector>

#include "cancel-token.h"

namespace instructblip::image {

// RGB pixels, [height,width,3]; belongs to the caller.
struct RgbView {
    const uint8_t* data;
    int64_t width;
    int64_t height;
};

struct ResizeKernels;

// `image` → [height,width,3]. Rows first, then columns, rounded to 8 bits in between; a pass is left out where the size
// stays. `kernels`: for tests; else the fastest that this CPU has. Throws ModelError ABORTED.
std::vector<uint8_t> resize(const RgbView& image, int64_t width, int64_t height, const CancelToken& cancel,
                            const ResizeKernels* kernels = nullptr);

}  // namespace instructblip::image
