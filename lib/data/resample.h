#pragma once

#include <cstdint>
#include <span>

#include "data/rgb_image.h"
#include "data/view.h"

namespace localbatch {

/// Writes a view of an image as [channel][row][column], which must have 3 size^2 elements: first
/// rows, then columns are filtered with a triangle as wide as two steps, or two pixels where steps
/// are smaller (bilinear with antialiasing, as Pillow does it: weights in 1/2^22, bytes in
/// between). In integers, so the same bytes with all instruction sets.
void resample(const RgbImage& image, const View& view, std::span<std::uint8_t> pixels);

}  // namespace localbatch
