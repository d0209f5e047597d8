#pragma once

#include <memory>
#include <span>
#include <stdexcept>

#include "data/rgb_image.h"

namespace localbatch {

/// The bytes of an image file are not what they have to be; says what is wrong with them, not whose
/// they are.
struct DamagedImage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A JPEG file in memory, by libjpeg-turbo: baseline or progressive; grey, RGB, YCbCr, CMYK or
/// YCCK. What libjpeg only warns of (data that end too early, codes that do not exist) is damage as
/// well: it would go on with grey pixels. All members throw DamagedImage, and
/// SystemError where there is no memory.
class JpegReader {
 public:
  /// Reads the header. `bytes` must outlive this object. An image of more than 2^27 pixels counts
  /// as damaged.
  explicit JpegReader(std::span<const unsigned char> bytes);
  ~JpegReader();
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  // Pixels as they are stored.
  int width() const;
  int height() const;

  /// As its Exif data say (data/exif.h).
  int orientation() const;

  /// Decodes all of it, once. Sides are divided by `reduction`, 1, 2, 4 or 8, and rounded up:
  /// libjpeg then computes fewer frequencies, which is fast. The whole file is read whatever part
  /// of it is wanted, so that a file is damaged or not, whoever looks. The same bytes on every
  /// machine: integer transforms only (JDCT_ISLOW).
  RgbImage decode(int reduction);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace localbatch
