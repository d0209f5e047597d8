#include "batching/gradient_statistics.h"

#include <doctest/doctest.h>

#include <limits>

#include "batching/brute_force.h"
#include "batching/noise_tests.h"

using namespace localbatch;

TEST_CASE("the smallest passing parameters by hand") {
  const PassingParameters passing = passing_parameters({.num_workers = 4,
                                                        .num_chunks = 4,
                                                        .global_batch_size = 100,
                                                        .variance = 3600,
                                                        .squared_norm = 4,
                                                        .inner_product_variance = 6400,
                                                        .orthogonal_variance = 2500});
  CHECK(passing.eta.value() == doctest::Approx(3));
  CHECK(passing.theta.value() == doctest::Approx(2));
  CHECK(passing.nu.value() == doctest::Approx(2.5));
}

TEST_CASE("a test passes just above its smallest passing parameter and fails just below") {
  for (std::uint64_t trial = 0; trial < 20; ++trial) {
    const auto statistics = brute_force(noisy_chunks(4, 8, 200, 0.2, trial), 8, 4);
    const PassingParameters passing = passing_parameters(statistics);
    const auto reason = [&](const std::shared_ptr<const BatchSizeController>& test) {
      return test->wanted({8}, statistics).reason;
    };
    const auto inner_product = [&](double theta, std::optional<double> nu) {
      return reason(make_inner_product_test({.theta = theta, .nu = nu}));
    };
    const double above = 1 + 1e-9, below = 1 - 1e-9;
    CHECK(reason(make_norm_test({.eta = *passing.eta * above})) == Reason::kPass);
    CHECK(reason(make_norm_test({.eta = *passing.eta * below})) == Reason::kGrow);
    CHECK(inner_product(*passing.theta * above, std::nullopt) == Reason::kPass);
    CHECK(inner_product(*passing.theta * below, std::nullopt) == Reason::kGrow);
    CHECK(inner_product(1000, *passing.nu * above) == Reason::kPass);
    CHECK(inner_product(1000, *passing.nu * below) == Reason::kGrow);
    CHECK(*passing.theta * *passing.theta + *passing.nu * *passing.nu ==
          doctest::Approx(*passing.eta * *passing.eta));
  }
}

TEST_CASE("no passing parameter is made up where none exists") {
  const GradientStatistics usable{
      .num_workers = 2, .num_chunks = 2, .global_batch_size = 8, .variance = 1, .squared_norm = 1};
  REQUIRE(passing_parameters(usable).eta);
  const auto all_empty = [](const GradientStatistics& statistics) {
    const PassingParameters passing = passing_parameters(statistics);
    return !passing.eta && !passing.theta && !passing.nu;
  };
  GradientStatistics one_chunk = usable;
  one_chunk.num_chunks = 1;
  CHECK(all_empty(one_chunk));
  GradientStatistics hidden = usable;
  hidden.squared_norm = -0.5;
  CHECK(all_empty(hidden));
  hidden.squared_norm = 0;
  CHECK(all_empty(hidden));
  GradientStatistics diverged = usable;
  diverged.inner_product_variance = std::numeric_limits<double>::infinity();
  CHECK(all_empty(diverged));
}

TEST_CASE("a variance that rounding pushed below zero counts as zero") {
  const PassingParameters passing = passing_parameters({.num_workers = 2,
                                                        .num_chunks = 2,
                                                        .global_batch_size = 8,
                                                        .variance = -1e-18,
                                                        .squared_norm = 1,
                                                        .inner_product_variance = -1e-18,
                                                        .orthogonal_variance = -1e-18});
  CHECK(passing.eta.value() == 0);
  CHECK(passing.theta.value() == 0);
  CHECK(passing.nu.value() == 0);
}
