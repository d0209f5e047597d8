#include "nn/vector_functions.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "nn/row_vectors.h"

using namespace localbatch;

namespace {

constexpr float kInfinite = std::numeric_limits<float>::infinity();

/// Calls visit(x, lane 0 of function(x)) from `first` to `last`.
template <class Function, class Visit>
void for_each_argument(double first, double last, Function function, Visit visit) {
  constexpr int kSteps = 200000;
  for (int i = 0; i <= kSteps; ++i) {
    const auto x = static_cast<float>(first + (last - first) * i / kSteps);
    visit(double{x}, double{function(broadcast(x))[0]});
  }
}

float exponential_of(float x) { return exponential(broadcast(x))[kChannelBlock - 1]; }

}  // namespace

TEST_CASE("the exponential is exact to 2e-7 wherever it is a normal f32") {
  for (const double range : {1.0, 88.72}) {
    double error = 0;
    for_each_argument(
        -std::min(range, 87.336), range, [](Vector x) { return exponential(x); },
        [&](double x, double y) { error = std::max(error, std::abs(y / std::exp(x) - 1)); });
    CHECK(error < 2e-7);
  }
  CHECK(exponential_of(0) == 1);
  CHECK(exponential_of(-0.0F) == 1);
}

TEST_CASE("the exponential ends in zero and in infinity, and keeps NaN") {
  for (const float x : {-87.4F, -104.0F, -1e4F, -1e30F, -kInfinite}) CHECK(exponential_of(x) == 0);
  for (const float x : {88.73F, 1e4F, 1e30F, kInfinite}) CHECK(exponential_of(x) == kInfinite);
  CHECK(std::isfinite(exponential_of(88.7228F)));
  CHECK(exponential_of(-87.3365F) >= 0x1p-126F);
  CHECK(std::isnan(exponential_of(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("the sigmoid has a small relative error, also where it is nearly zero") {
  double error = 0;
  for_each_argument(
      -87, 30, [](Vector x) { return sigmoid(x); },
      [&](double x, double y) { error = std::max(error, std::abs(y * (1 + std::exp(-x)) - 1)); });
  CHECK(error < 4e-7);
  CHECK(sigmoid(broadcast(-1e4F))[0] == 0);
  CHECK(sigmoid(broadcast(1e4F))[0] == 1);
}

TEST_CASE("the normal distribution is that of erf, and its density that of exp") {
  double cumulative = 0, density = 0;
  for_each_argument(
      -12, 12, [](Vector x) { return normal_distribution(x).cumulative; },
      [&](double x, double y) {
        cumulative = std::max(cumulative, std::abs(y - std::erfc(-x / std::sqrt(2.0)) / 2));
      });
  for_each_argument(
      -12, 12, [](Vector x) { return normal_distribution(x).density; },
      [&](double x, double y) {
        const double exact = std::exp(-x * x / 2) / std::sqrt(8 * std::atan(1.0));
        density = std::max(density, std::abs(y - exact));
      });
  CHECK(cumulative < 2e-7);
  CHECK(density < 2e-7);
  // Far down the tail there are still digits: x Phi(x) is what a gate makes of it.
  const double tail = normal_distribution(broadcast(-6)).cumulative[0];
  CHECK(tail == doctest::Approx(std::erfc(6 / std::sqrt(2.0)) / 2).epsilon(3e-6));
  for (const float x : {-1e20F, -1e4F}) {
    CHECK(normal_distribution(broadcast(x)).cumulative[0] == 0);
    CHECK(normal_distribution(broadcast(-x)).cumulative[0] == 1);
    CHECK(normal_distribution(broadcast(x)).density[0] == 0);
  }
}

TEST_CASE("sums and maxima over lanes see every lane, and go by halves") {
  for (int lane = 0; lane < kChannelBlock; ++lane) {
    Vector value = broadcast(-2);
    value[lane] = 5;
    CHECK(largest_lane(value) == 5);
    CHECK(sum_of_lanes(value) == 5 - 2 * (kChannelBlock - 1));
  }
  // Only a lane's partner half a vector away can cancel it before it swallows the small ones.
  Vector value = broadcast(1);
  value[0] = 1e10F;
  value[kChannelBlock / 2] = -1e10F;
  CHECK(sum_of_lanes(value) == kChannelBlock - 2);
}

TEST_CASE("the end of a row is read with zeros behind it, and nothing is written there") {
  for (int width = 0; width <= 3 * kChannelBlock; ++width) {
    std::vector<float> from(static_cast<std::size_t>(width), 3.0F);
    std::vector<float> to(from.size() + kChannelBlock, -1.0F);
    std::vector<Bfloat16> halves(from.size() + kChannelBlock, Bfloat16{7});
    Vector sum{}, kept{};
    for_each_vector(width, [&](std::ptrdiff_t i, auto lanes) {
      const Vector value = lanes.load(from.data() + i);
      sum += value;
      kept += lanes.keep(broadcast(1), Vector{});
      lanes.store(to.data() + i, value + 1.0F);
      lanes.store(halves.data() + i, value + 1.0F);
    });
    CAPTURE(width);
    CHECK(sum_of_lanes(sum) == 3 * width);
    CHECK(sum_of_lanes(kept) == width);
    for (std::size_t i = 0; i < to.size(); ++i) {
      CHECK(to[i] == (i < from.size() ? 4.0F : -1.0F));
      CHECK(halves[i].bits == (i < from.size() ? 0x4080 : 7));
    }
  }
}
