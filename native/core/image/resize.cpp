#include "image/resize.h"

#include <algorithm>

#include "error.h"
#include "image/resize-kernels.h"

namespace instructblip::image {
namespace {

constexpr int64_t channels = 3;

void check(const CancelToken& cancel, int64_t row) {
    constexpr int64_t rows_between_checks = 64;
    if (row % rows_between_checks == 0) cancel.throw_if_cancelled();
}

// Rows `top` to `bottom` of the input, each made `width` wide.
std::vector<uint8_t> resize_rows(const RgbView& image, int64_t width, int64_t top, int64_t bottom,
                                 const ResizeKernels& kernels, const CancelToken& cancel) {
    const ResizeFilter filter = make_resize_filter(image.width, width);
    const int64_t length = image.width * channels;
    std::vector<uint8_t> output(static_cast<size_t>((bottom - top) * width * channels));
    std::vector<uint8_t> copy;
    for (int64_t y = top; y < bottom; ++y) {
        check(cancel, y);
        const uint8_t* row = image.data + y * length;
        // Only behind the last rows is there too little that may be read.
        if ((image.height - 1 - y) * length < row_padding) {
            copy.assign(row, row + length);
            copy.resize(static_cast<size_t>(length + row_padding));
            row = copy.data();
        }
        kernels.resize_row(row, filter, output.data() + (y - top) * width * channels);
    }
    return output;
}

// rows [?,width,3], of which the first is row `top` of the whole picture.
std::vector<uint8_t> resize_columns(const uint8_t* rows, int64_t width, int64_t top, const ResizeFilter& filter,
                                    const ResizeKernels& kernels, const CancelToken& cancel) {
    const int64_t length = width * channels;
    std::vector<uint8_t> output(static_cast<size_t>(filter.size * length));
    std::vector<uint32_t> sums(static_cast<size_t>(length));
    for (int64_t y = 0; y < filter.size; ++y) {
        check(cancel, y);
        const auto i = static_cast<size_t>(y);
        kernels.mix_rows(rows + (filter.first[i] - top) * length, length, filter.count[i],
                         filter.weights.data() + y * filter.stride, sums.data(), output.data() + y * length);
    }
    return output;
}

}  // namespace

std::vector<uint8_t> resize(const RgbView& image, int64_t width, int64_t height, const CancelToken& cancel,
                            const ResizeKernels* kernels) {
    const ResizeKernels& chosen = kernels == nullptr ? choose_resize_kernels() : *kernels;
    if (height == image.height) {
        if (width == image.width) return {image.data, image.data + width * height * channels};
        return resize_rows(image, width, 0, height, chosen, cancel);
    }
    const ResizeFilter filter = make_resize_filter(image.height, height);
    if (width == image.width) return resize_columns(image.data, width, 0, filter, chosen, cancel);
    const int64_t top = filter.first.front();
    const int64_t bottom = filter.first.back() + filter.count.back();
    const std::vector<uint8_t> narrow = resize_rows(image, width, top, bottom, chosen, cancel);
    return resize_columns(narrow.data(), width, top, filter, chosen, cancel);
}

}  // namespace instructblip::image
