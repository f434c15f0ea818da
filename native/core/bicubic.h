// torch.nn.functional.interpolate(mode="bicubic", align_corners=False): another filter than the pictures' (Pillow's).
#pragma once

#include <cstdint>
#include <vector>

namespace instructblip {

struct GridSize {
    int64_t height;
    int64_t width;
};

// values [from.height,from.width,channels] → [to.height,to.width,channels], without antialiasing.
std::vector<float> resize_bicubic(const float* values, const GridSize& from, const GridSize& to, int64_t channels);

}  // namespace instructblip
