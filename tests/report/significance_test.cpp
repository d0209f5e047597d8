#include <doctest/doctest.h>

#include <limits>

#include "report/result_table.h"

namespace localbatch {

TEST_CASE("a sample is a mean with the deviation of divisor n - 1") {
  const std::optional<Sample> sample = sample_of({2, 4, 9});
  REQUIRE(sample);
  CHECK(sample->n == 3);
  CHECK(sample->mean == doctest::Approx(5));
  CHECK(*sample->standard_deviation == doctest::Approx(3.605551275463989));  // sqrt(26/2)
  CHECK_FALSE(sample_of({}));
  const double infinite = std::numeric_limits<double>::infinity();
  CHECK(sample_of({1, infinite})->mean == infinite);
  CHECK_FALSE(sample_of({1, infinite})->standard_deviation);
  CHECK_FALSE(sample_of({-1e308, 1e308})->standard_deviation);
  CHECK_FALSE(noise_of_difference({.mean = 1, .standard_deviation = infinite, .n = 2}, *sample));
  const Sample large{.mean = 1e200, .standard_deviation = 1e200, .n = 2};
  const Sample small{.mean = 1e-200, .standard_deviation = 1e-200, .n = 2};
  CHECK(*noise_of_difference(large, large) ==
        doctest::Approx(1e200 * *noise_of_difference({1, 1, 2}, {1, 1, 2})));
  CHECK(*noise_of_difference(small, small) > 0);
  CHECK_FALSE(sample_of({7})->standard_deviation);
  CHECK(sample_of({7})->mean == 7);
}

TEST_CASE("quantiles of Student's t are those of printed tables") {
  CHECK(t_quantile(0.975, 1) == doctest::Approx(12.7062).epsilon(1e-5));
  CHECK(t_quantile(0.975, 2) == doctest::Approx(4.30265).epsilon(1e-5));
  CHECK(t_quantile(0.975, 4) == doctest::Approx(2.77645).epsilon(1e-5));
  CHECK(t_quantile(0.975, 30) == doctest::Approx(2.04227).epsilon(1e-5));
}

TEST_CASE("noise of a difference is Welch's") {
  const Sample a{.mean = 0, .standard_deviation = 1, .n = 3};
  // Equal deviations and n: f = 2 (n - 1) = 4, noise = t sqrt(2/3).
  CHECK(*noise_of_difference(a, a) == doctest::Approx(2.77645 * 0.8164966).epsilon(1e-5));
  // One without noise: f = 2.
  const Sample exact{.mean = 0, .standard_deviation = 0, .n = 3};
  CHECK(*noise_of_difference(a, exact) == doctest::Approx(4.30265 * 0.5773503).epsilon(1e-5));
  CHECK(*noise_of_difference(exact, exact) == 0);
  CHECK_FALSE(noise_of_difference(a, {.mean = 0, .standard_deviation = {}, .n = 1}));
  CHECK_FALSE(noise_of_difference(a, {.mean = 0, .standard_deviation = {}, .n = 3}));
  CHECK_FALSE(noise_of_difference(a, {.mean = 0, .standard_deviation = 1, .n = 0}));
}

}  // namespace localbatch
