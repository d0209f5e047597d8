#include <doctest/doctest.h>

#include "nn/winograd_passes.h"

using namespace localbatch;
using namespace localbatch::winograd;

namespace {

#ifdef LOCALBATCH_WITHOUT_AVX512
static_assert(kChannelBlock == 8, "compiled for the instructions that this test is for");
#endif

constexpr TestLayer kLayers[] = {
    {16, 16, 32, 32, 2}, {32, 64, 8, 8, 3},   {48, 48, 7, 7, 3},  {96, 32, 5, 9, 2},
    {32, 32, 4, 4, 70},  {16, 48, 14, 14, 5}, {160, 80, 4, 4, 3}, {128, 128, 8, 8, 2},
    {16, 16, 1, 1, 9},   {512, 32, 4, 4, 4},  {32, 512, 2, 3, 4}, {64, 64, 6, 10, 64},
    {256, 256, 3, 5, 2}, {512, 512, 4, 4, 1}, {16, 16, 33, 1, 1}, {32, 16, 1, 31, 2},
};

/// Of sums over this many channels, for sums that restart every 128.
double convolution_error(int channels) {
  return channels <= 16 ? 5.6e-7 : channels <= 32 ? 7.4e-7 : channels <= 64 ? 9.6e-7 : 1.4e-6;
}
constexpr double kWeightError = 1.2e-6;
constexpr double kBfloat16Error = 2e-3;  ///< the result is rounded once

template <class T>
double storage_error(double error) {
  return std::is_same_v<T, float> ? error : kBfloat16Error;
}

template <class T>
void check_passes(const TestLayer& layer, const Reference& exact) {
  for (const bool add : {false, true}) {
    CAPTURE(add);
    const PassErrors errors = errors_of_passes<T>(layer, exact, add);
    CHECK(errors.forward < storage_error<T>(convolution_error(layer.channels)));
    CHECK(errors.backward_data < storage_error<T>(convolution_error(layer.filters)));
    CHECK(errors.backward_weights < kWeightError);
  }
}

}  // namespace

TEST_CASE("Winograd's convolution is a convolution, in f32 and with values stored in bf16") {
  for (const TestLayer& layer : kLayers) {
    CAPTURE(layer.channels);
    CAPTURE(layer.height);
    const Reference reference(layer);
    check_passes<float>(layer, reference);
    check_passes<Bfloat16>(layer, reference);
  }
}

TEST_CASE("a convolution does not depend on which images are transformed and multiplied together") {
  const TestLayer layer{32, 48, 7, 5, 5};
  const auto input = blocked<float>(random_values(image_size(layer, 32), 5), layer);
  const auto weights = blocked_weights(random_values(std::size_t{9} * 32 * 48, 6), layer);
  std::vector<float> result(image_size(layer, 48));
  result = convolve(layer, Direction::kForward, input, weights, false, result);
  for (int n = 0; n < layer.images; ++n) {
    const TestLayer one{32, 48, 7, 5, 1};
    const std::ptrdiff_t input_size = image_size(one, 32), output_size = image_size(one, 48);
    const std::vector<float> image(input.begin() + n * input_size,
                                   input.begin() + (n + 1) * input_size);
    const auto alone =
        convolve(one, Direction::kForward, image, weights, false, std::vector<float>(output_size));
    CHECK(std::equal(alone.begin(), alone.end(), result.begin() + n * output_size));
  }
}
