// Every kernel of resizing against sums written out, in 64 bits; that Pillow computes the same is tested with pictures
// in TypeScript.
#include "image/resize.h"

#include <algorithm>
#include <random>
#include <vector>

#include "check.h"
#include "image/resize-kernels.h"

using namespace instructblip;
using namespace instructblip::image;

namespace {

std::vector<uint8_t> noise(int64_t width, int64_t height, bool only_extremes) {
    std::mt19937 random(static_cast<uint32_t>(width * 1000 + height));
    std::vector<uint8_t> pixels(static_cast<size_t>(width * height * 3));
    for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(only_extremes ? random() % 2 * 255 : random());
    return pixels;
}

// One line of pixels that lie `stride` apart.
void resize_line(const uint8_t* from, int64_t size, uint8_t* to, int64_t new_size, int64_t stride) {
    const ResizeFilter filter = make_resize_filter(size, new_size);
    for (int64_t i = 0; i < new_size; ++i) {
        const auto at = static_cast<size_t>(i);
        int64_t sum = int64_t{1} << (precision_bits - 1);
        for (int64_t k = 0; k < filter.count[at]; ++k)
            sum += from[(filter.first[at] + k) * stride] * int64_t{filter.weights[at * filter.stride + k]};
        to[i * stride] = static_cast<uint8_t>(std::clamp<int64_t>(sum >> precision_bits, 0, 255));
    }
}

std::vector<uint8_t> expected(const std::vector<uint8_t>& pixels, int64_t width, int64_t height, int64_t new_width,
                              int64_t new_height) {
    std::vector<uint8_t> narrow = pixels;
    if (width != new_width) {
        narrow.assign(static_cast<size_t>(new_width * height * 3), 0);
        for (int64_t i = 0; i < height * 3; ++i) {
            const int64_t row = i / 3;
            resize_line(pixels.data() + row * width * 3 + i % 3, width, narrow.data() + row * new_width * 3 + i % 3,
                        new_width, 3);
        }
    }
    if (height == new_height) return narrow;
    std::vector<uint8_t> result(static_cast<size_t>(new_width * new_height * 3));
    for (int64_t i = 0; i < new_width * 3; ++i)
        resize_line(narrow.data() + i, height, result.data() + i, new_height, new_width * 3);
    return result;
}

void test_sizes(const ResizeKernels& kernels) {
    const int64_t sides[] = {1, 2, 3, 4, 5, 7, 16, 31, 100, 225};
    for (const int64_t width : sides) {
        for (const int64_t height : sides) {
            for (const int64_t new_width : {int64_t{1}, int64_t{6}, int64_t{31}, width}) {
                for (const int64_t new_height : {int64_t{1}, int64_t{9}, height}) {
                    const auto pixels = noise(width, height, (width + height) % 2 == 0);
                    const RgbView view{pixels.data(), width, height};
                    CHECK(resize(view, new_width, new_height, CancelToken(), &kernels) ==
                          expected(pixels, width, height, new_width, new_height));
                }
            }
        }
    }
}

// More columns for one of the result than sums of halves hold without wrapping.
void test_long_row(const ResizeKernels& kernels) {
    for (const bool only_extremes : {false, true}) {
        auto pixels = noise(20000, 1, only_extremes);
        if (only_extremes) std::fill(pixels.begin(), pixels.end(), uint8_t{255});
        CHECK(resize({pixels.data(), 20000, 1}, 2, 1, CancelToken(), &kernels) == expected(pixels, 20000, 1, 2, 1));
    }
}

void test_cancel() {
    CancelToken cancel;
    cancel.cancel();
    const auto pixels = noise(5, 5, false);
    CHECK_ERROR("ABORTED", "", resize({pixels.data(), 5, 5}, 2, 2, cancel));
}

void test_kernels(const ResizeKernels& kernels) {
    test_sizes(kernels);
    test_long_row(kernels);
}

}  // namespace

int main() {
    test_kernels(portable_resize_kernels);
    test_kernels(choose_resize_kernels());
    test_cancel();
    return check::report();
}
