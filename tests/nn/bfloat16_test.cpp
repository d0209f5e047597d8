#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "nn/activations.h"
#include "nn/elementwise.h"

using namespace localbatch;

TEST_CASE("f32 becomes the nearest Bfloat16, ties go to the even one") {
  const std::vector<std::pair<float, float>> cases{
      {1.0F, 1.0F},
      {1.0F + 0x1p-8F, 1.0F},                       // a tie, down to even
      {1.0F + 0x3p-8F, 1.0F + 0x1p-6F},             // a tie, up to even
      {1.0F + 0x1p-8F + 0x1p-23F, 1.0F + 0x1p-7F},  // just beyond the tie
      {1.0F + 0x3p-8F - 0x1p-22F, 1.0F + 0x1p-7F},  // just below
      {-1.0F - 0x1p-8F, -1.0F},
      {-1.0F - 0x3p-8F, -1.0F - 0x1p-6F},
      {0x1.ffp0F, 2.0F},  // up to the next power of two
      {0x1.fefffep0F, 0x1.fep0F},
      {0x1.fep127F, 0x1.fep127F},  // the largest one
      {0x1.fefffep127F, 0x1.fep127F},
      {0x1.ffp127F, kInfinity},  // its tie goes to infinity
      {-std::numeric_limits<float>::max(), -kInfinity},
      {0x1p-126F, 0x1p-126F},
      {0.0F, 0.0F},
      {kInfinity, kInfinity},
      {-kInfinity, -kInfinity},
      {kNan, kNan},
      {-kNan, kNan}};
  std::vector<float> from, expected;
  for (const auto& [value, nearest] : cases) {
    from.push_back(value);
    expected.push_back(nearest);
  }
  std::vector<Bfloat16> to(from.size());
  convert(from.data(), from.size(), to.data());
  for (std::size_t i = 0; i < to.size(); ++i) {
    CAPTURE(from[i]);
    CHECK(same(to_float(to[i]), expected[i]));
  }
  // Signalling NaNs, whose payload lies in the lower half only, must not become infinity.
  std::vector<float> signalling(1);
  const std::uint32_t bits = 0x7f800001U;
  std::memcpy(signalling.data(), &bits, sizeof bits);
  convert(signalling.data(), 1, to.data());
  CHECK(std::isnan(to_float(to[0])));
}

TEST_CASE("every f32 with seven random lower bits rounds to nearest, whatever the array's length") {
  for (const std::size_t count : kCounts) {
    RandomStream random(1, Purpose::kTest, count);
    std::vector<float> from(count);
    for (float& value : from)
      value = std::ldexp(random.normal(), static_cast<int>(random.below(200)) - 100);
    std::vector<Bfloat16> to(count + 1, Bfloat16{0x1234});
    convert(from.data(), count, to.data());
    CHECK(to.back().bits == 0x1234);
    to.pop_back();
    CHECK(all_same(to, from));
  }
}
