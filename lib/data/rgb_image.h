#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace localbatch {

/// A colour image as decoders write it.
struct RgbImage {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;  ///< [row][column][red, green, blue]

  const std::uint8_t* pixel(int row, int column) const {
    return pixels.data() + 3 * (static_cast<std::size_t>(row) * static_cast<std::size_t>(width) +
                                static_cast<std::size_t>(column));
  }
};

/// The image as it was seen by a camera that stored it in this orientation (data/exif.h).
RgbImage upright(RgbImage stored, int orientation);

}  // namespace localbatch
