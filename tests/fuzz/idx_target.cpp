#include <span>

#include "data/idx.h"
#include "fuzz/fuzz_target.h"

using namespace localbatch;

/// The first byte says how many of those that follow are the file of images; the rest are the file
/// of labels. Images have 2 x 3 pixels, so that a whole set is short.
int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::uint8_t> rest(bytes + 1, size - 1);
  const std::size_t num_images = std::min<std::size_t>(bytes[0], rest.size());
  const auto images = rest.first(num_images), labels = rest.subspan(num_images);
  read_or_refuse([&] {
    const ImageSet set = parse_idx_pair({.path = "images", .bytes = {images.begin(), images.end()}},
                                        {.path = "labels", .bytes = {labels.begin(), labels.end()}},
                                        {.channels = 1, .height = 2, .width = 3}, 10);
    check(set.size() > 0 && set.pixels.size() == 6 * set.size(), "every label has an image");
  });
  return 0;
}
