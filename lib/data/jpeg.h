#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
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

/// Turns an image to what the camera saw that stored it in this orientation.
RgbImage upright(RgbImage stored, int orientation);

/// The bytes of an image file are not what they have to be; says what is wrong with them, not whose
/// they are.
struct DamagedImage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Decodes a JPEG file in memory with libjpeg-turbo: baseline or progressive; grey, RGB, YCbCr,
/// CMYK or YCCK. What libjpeg only warns of (data that end too early, codes that do not exist) is
/// damage as well: it would go on with grey pixels. All members throw DamagedImage, and SystemError
/// where there is no memory.
class JpegReader {
 public:
  /// Reads the header. `bytes` must outlive this object. An image of more than 2^27 pixels counts
  /// as damaged.
  explicit JpegReader(std::span<const unsigned char> bytes);
  ~JpegReader();
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  // Sides of the image in pixels, as it is stored.
  int width() const;
  int height() const;

  /// The orientation that its Exif data name.
  int orientation() const;

  /// Decodes the whole image, once. Sides are divided by `reduction`, 1, 2, 4 or 8, and rounded up:
  /// libjpeg then computes fewer frequencies, which is fast. The whole file is read whatever part
  /// of it is wanted, so that a file is damaged or not, whoever looks. All machines give the same
  /// bytes, because transforms are in integers (JDCT_ISLOW).
  RgbImage decode(int reduction);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// How a camera was held, as the Exif standard (CIPA DC-008, tag 0x0112) counts it: 1 upright, 3
/// upside down, 6 and 8 on a side, 2, 4, 5 and 7 the mirror images of these.
constexpr int kUpright = 1;

/// Reads the orientation that the content of an APP1 segment names: upright when the segment holds
/// none, is not Exif or makes no sense: pixels are whole without it.
int read_orientation(std::span<const unsigned char> app1);

/// Whether an upright image is as wide as the stored one is high.
constexpr bool swaps_sides(int orientation) { return orientation >= 5; }

}  // namespace localbatch
