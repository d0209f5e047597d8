#include <array>

#include "fuzz/fuzz_target.h"
#include "nn/winograd_passes.h"

using namespace localbatch;
using namespace localbatch::winograd;

namespace {

/// More would make an input slow, and has no edge that fewer do not have.
constexpr int kMostProducts = 1 << 19;  // of channels, filters, pixels and images
constexpr double kMostError = 2e-6, kMostBfloat16Error = 4e-3;

void check_errors(const PassErrors& errors, double most) {
  check(errors.forward <= most, "forward is a convolution");
  check(errors.backward_data <= most, "backward data is one with turned weights");
  check(errors.backward_weights <= kMostError, "backward weights is the sum of products");
}

}  // namespace

/// Bytes say the shape of a layer: channels and filters in blocks, height, width, images, whether
/// results are added, the seed of its numbers. Each pass is compared with its definition.
int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::array<int, 7> shape{};
  std::copy_n(bytes, std::min(size, shape.size()), shape.begin());
  const auto [channels, filters, height, width, images, add, seed] = shape;
  int products = 1;
  const auto within_limit = [&products](int wanted) {
    const int number = std::min(wanted, kMostProducts / products);
    products *= number;
    return number;
  };
  TestLayer layer{};
  layer.channels = within_limit(1 + channels % 36) * kChannelBlock;
  layer.filters = within_limit(1 + filters % 36) * kChannelBlock;
  products *= kChannelBlock * kChannelBlock;
  layer.height = within_limit(1 + height % 40);
  layer.width = within_limit(1 + width % 40);
  layer.images = within_limit(1 + images % 64);
  const Reference exact(layer, static_cast<unsigned>(seed));
  const bool adds = add % 2 != 0;
  check_errors(errors_of_passes<float>(layer, exact, adds), kMostError);
  check_errors(errors_of_passes<Bfloat16>(layer, exact, adds), kMostBfloat16Error);
  return 0;
}
