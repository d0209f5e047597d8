#include <array>

#include "fuzz/fuzz_target.h"
#include "nn/winograd_passes.h"

using namespace localbatch;
using namespace localbatch::winograd;

namespace {

/// More would make an input slow, and has no edge that fewer do not have.
constexpr int kMostProducts = 1 << 21;
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
  const TestLayer layer{.channels = (1 + channels % 36) * kChannelBlock,
                        .filters = (1 + filters % 36) * kChannelBlock,
                        .height = 1 + height % 40,
                        .width = 1 + width % 40,
                        .images = 1 + images % 64};
  if (pixels_of(layer) * layer.images * layer.channels * layer.filters > kMostProducts) return 0;
  const Reference exact(layer, static_cast<unsigned>(seed));
  const bool adds = add % 2 != 0;
  check_errors(errors_of_passes<float>(layer, exact, adds), kMostError);
  check_errors(errors_of_passes<Bfloat16>(layer, exact, adds), kMostBfloat16Error);
  return 0;
}
