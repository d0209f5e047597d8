#include <span>
#include <vector>

#include "data/jpeg.h"
#include "data/view.h"
#include "fuzz/fuzz_target.h"

using namespace localbatch;

/// Decodes the input, turns it upright and looks at its middle. Large images are left alone: many
/// scans over many pixels take long, and are no mistake.
int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  constexpr int kSize = 5, kMaxPixels = 1 << 16;
  const std::span input(bytes, size);
  read_orientation(input);
  read_or_refuse([&] {
    try {
      JpegReader reader(input);
      if (reader.width() > kMaxPixels / reader.height()) return;
      const RgbImage image = upright(reader.decode(1), reader.orientation());
      check(image.pixels.size() == 3 * static_cast<std::size_t>(image.width * image.height),
            "every pixel has three bytes");
      std::vector<std::uint8_t> pixels(std::size_t{3} * kSize * kSize);
      resample(image, centre_crop(image.width, image.height, kSize, kSize), pixels);
    } catch (const DamagedImage& damage) {
      throw InputError(damage.what());
    }
  });
  return 0;
}
