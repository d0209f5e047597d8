#include "data/rgb_image.h"

#include <algorithm>

#include "data/exif.h"

namespace localbatch {

RgbImage upright(RgbImage stored, int orientation) {
  if (orientation == kUpright) return stored;
  const bool swapped = swaps_sides(orientation);
  // Where the first row and the first column of the stored image belong; see tag 0x0112.
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  RgbImage image{.width = swapped ? stored.height : stored.width,
                 .height = swapped ? stored.width : stored.height,
                 .pixels = std::vector<std::uint8_t>(stored.pixels.size())};
  std::uint8_t* to = image.pixels.data();
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x, to += 3) {
      const int row = from_bottom ? image.height - 1 - y : y;
      const int column = from_right ? image.width - 1 - x : x;
      std::copy_n(swapped ? stored.pixel(column, row) : stored.pixel(row, column), 3, to);
    }
  return image;
}

}  // namespace localbatch
