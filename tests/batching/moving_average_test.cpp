#include <doctest/doctest.h>

#include <cmath>

#include "batching/gradient_statistics.h"
#include "batching/noise_tests.h"

using namespace localbatch;

namespace {

GradientStatistics statistics(double variance, double squared_norm) {
  return {.num_workers = 4,
          .num_chunks = 4,
          .global_batch_size = 32,
          .variance = variance,
          .squared_norm = squared_norm,
          .inner_product_variance = 2 * variance,
          .orthogonal_variance = 3 * variance,
          .unbiased_squared_norm = squared_norm / 2};
}

}  // namespace

TEST_CASE("numerators and denominators are averaged each by itself, the first rounds unbiased") {
  MovingAverages averages;
  const GradientStatistics first = average_in(statistics(10, 1), 0.5, averages);
  CHECK(first.variance == 10);
  CHECK(first.squared_norm == 1);
  const GradientStatistics second = average_in(statistics(40, 4), 0.5, averages);
  CHECK(second.variance == doctest::Approx((0.5 * 10 + 40) / 1.5));
  CHECK(second.squared_norm == doctest::Approx((0.5 * 1 + 4) / 1.5));
  CHECK(second.unbiased_squared_norm == doctest::Approx(second.squared_norm / 2));
  CHECK(second.inner_product_variance == doctest::Approx(2 * second.variance));
  CHECK(second.orthogonal_variance == doctest::Approx(3 * second.variance));
  CHECK(second.global_batch_size == 32);
}

TEST_CASE("a ratio of averages is not ruled by a round without gradient") {
  MovingAverages averages;
  average_in(statistics(10, 1), 0.9, averages);
  const GradientStatistics averaged = average_in(statistics(10, 1e-9), 0.9, averages);
  CHECK(averaged.variance / averaged.squared_norm < 25);
}

TEST_CASE("without decay statistics are left alone, and unusable ones leave no trace") {
  MovingAverages averages;
  CHECK(average_in(statistics(10, 1), 0, averages).variance == 10);
  CHECK(averages.weight == 0);
  average_in(statistics(10, 1), 0.5, averages);
  CHECK(std::isnan(average_in(statistics(NAN, 1), 0.5, averages).variance));
  GradientStatistics lone = statistics(0, 0);
  lone.num_chunks = 1;
  average_in(lone, 0.5, averages);
  CHECK(average_in(statistics(10, 1), 0.5, averages).variance == doctest::Approx(10));
}

TEST_CASE("the coordinate-wise norm test asks for what the chosen share of coordinates needs") {
  GradientStatistics now = statistics(10, 1);
  now.coordinate_ratios = CoordinateRatios{8, 32, 128, 512, 2048};
  for (const auto& [share, ratio] : {std::pair<double, double>{0.5, 8}, {0.99, 128}, {1, 2048}}) {
    const auto test = make_coordinate_norm_test({.eta = 0.5, .share = share});
    CHECK(test->needs().coordinates);
    const Wanted wanted = test->wanted({.local_batch_size = 8}, now);
    // ratio/(M b) against eta^2: b = ratio/(M eta^2).
    CHECK(wanted.local_batch_size == doctest::Approx(ratio / (4 * 0.25)));
    CHECK(wanted.reason == (wanted.local_batch_size > 8 ? Reason::kGrow : Reason::kPass));
  }
}
