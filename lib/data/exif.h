#pragma once

#include <span>

namespace localbatch {

/// How a camera was held, as the Exif standard (CIPA DC-008, tag 0x0112) counts it: 1 upright, 3
/// upside down, 6 and 8 on a side, 2, 4, 5 and 7 the mirror images of these.
constexpr int kUpright = 1;

/// The orientation that the content of an APP1 segment names. Upright when the segment holds none,
/// is not Exif or makes no sense: pixels are whole without it.
int read_orientation(std::span<const unsigned char> app1);

/// Whether an upright image is as wide as the stored one is high.
constexpr bool swaps_sides(int orientation) { return orientation >= 5; }

}  // namespace localbatch
