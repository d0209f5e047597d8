#pragma once

#include <vector>

#include "data/jpeg.h"

namespace localbatch {

enum class JpegKind { kColour, kGrey, kCmyk, kProgressive };

/// A smooth picture that is different everywhere and for every `seed`.
RgbImage smooth_image(int width, int height, int seed);

/// The image as libjpeg compresses it, with an Exif segment unless `orientation` is 0. Inks are as
/// Adobe writes them, without black.
std::vector<unsigned char> jpeg_bytes(const RgbImage& image, JpegKind kind = JpegKind::kColour,
                                      int orientation = 0, int quality = 95);

/// The content of an Exif segment that holds nothing but this orientation.
std::vector<unsigned char> exif_segment(int orientation, bool big_endian);

}  // namespace localbatch
