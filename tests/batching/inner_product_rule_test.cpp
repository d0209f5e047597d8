#include <doctest/doctest.h>

#include <limits>

#include "batching/brute_force.h"
#include "batching/noise_tests.h"

using namespace localbatch;

namespace {

/// Four workers with 64 samples each, |g|^2 = 10.
GradientStatistics statistics_by_direction(double inner_product_variance,
                                           double orthogonal_variance) {
  return {.num_workers = 4,
          .num_chunks = 4,
          .global_batch_size = 256,
          .variance = inner_product_variance / 10 + orthogonal_variance,
          .squared_norm = 10,
          .inner_product_variance = inner_product_variance,
          .orthogonal_variance = orthogonal_variance};
}

}  // namespace

TEST_CASE("the inner product test compares the variance along the gradient with theta^2 |g|^4") {
  // 12800/256 = 50 > 0.25 100; 12800/(4 0.25 100) = 128 samples per worker would do.
  const Wanted wanted =
      make_inner_product_test({.theta = 0.5})->wanted({64}, statistics_by_direction(12800, 1e9));
  CHECK(wanted.reason == Reason::kGrow);
  REQUIRE(wanted.test);
  CHECK(wanted.test->statistic == 50);
  CHECK(wanted.test->threshold == 25);
  CHECK(wanted.local_batch_size == doctest::Approx(128));
  CHECK_FALSE(wanted.orthogonality);  // nu = 0: the noise across does not matter
}

TEST_CASE("the orthogonality test compares the variance across the gradient with nu^2 |g|^2") {
  // 12800/256 = 50 > 4 10 = 40; 12800/(4 4 10) = 80.
  const Wanted wanted = make_inner_product_test({.theta = 0.5, .nu = 2})
                            ->wanted({64}, statistics_by_direction(100, 12800));
  CHECK(wanted.reason == Reason::kGrow);
  CHECK(wanted.test->passes());
  REQUIRE(wanted.orthogonality);
  CHECK(wanted.orthogonality->statistic == 50);
  CHECK(wanted.orthogonality->threshold == 40);
  CHECK(wanted.local_batch_size == doctest::Approx(80));
}

TEST_CASE("the augmented test wants the larger of its two batches and passes only when both do") {
  const auto test = make_inner_product_test({.theta = 0.5, .nu = 2});
  CHECK(test->wanted({64}, statistics_by_direction(12800, 12800)).local_batch_size ==
        doctest::Approx(128));
  CHECK(test->wanted({64}, statistics_by_direction(12800, 100)).reason == Reason::kGrow);
  CHECK(test->wanted({64}, statistics_by_direction(100, 12800)).reason == Reason::kGrow);
  const Wanted passes = test->wanted({64}, statistics_by_direction(3200, 6400));  // 32 and 40
  CHECK(passes.reason == Reason::kPass);
  CHECK(passes.local_batch_size == doctest::Approx(40));
}

TEST_CASE("theta moves its own threshold alone, nu its own alone") {
  const GradientStatistics statistics = statistics_by_direction(12800, 12800);
  const Wanted base = make_inner_product_test({.theta = 0.5, .nu = 2})->wanted({64}, statistics);
  const Wanted other_theta =
      make_inner_product_test({.theta = 0.25, .nu = 2})->wanted({64}, statistics);
  const Wanted other_nu =
      make_inner_product_test({.theta = 0.5, .nu = 1})->wanted({64}, statistics);
  CHECK(other_theta.test->threshold == base.test->threshold / 4);
  CHECK(other_theta.orthogonality->threshold == base.orthogonality->threshold);
  CHECK(other_nu.test->threshold == base.test->threshold);
  CHECK(other_nu.orthogonality->threshold == base.orthogonality->threshold / 4);
  CHECK(other_theta.test->statistic == base.test->statistic);
  CHECK(other_nu.orthogonality->statistic == base.orthogonality->statistic);
}

TEST_CASE("the wanted size depends on the variances of a sample, not on the batch they came from") {
  GradientStatistics statistics = statistics_by_direction(12800, 12800);
  const auto test = make_inner_product_test({.theta = 0.5, .nu = 2});
  const Wanted small = test->wanted({64}, statistics);
  statistics.global_batch_size = 2560;
  const Wanted large = test->wanted({640}, statistics);
  CHECK(large.test->statistic == doctest::Approx(small.test->statistic / 10));
  CHECK(large.orthogonality->statistic == doctest::Approx(small.orthogonality->statistic / 10));
  CHECK(large.local_batch_size == doctest::Approx(small.local_batch_size));
}

TEST_CASE("noise along and across the gradient adds up to all of it") {
  for (std::uint64_t trial = 0; trial < 20; ++trial) {
    const auto s = brute_force(noisy_chunks(5, 8, 300, 0.1, trial), 8, 5);
    CHECK(s.inner_product_variance / s.squared_norm + s.orthogonal_variance ==
          doctest::Approx(s.variance).epsilon(1e-12));
  }
}

TEST_CASE("passing with theta and nu implies the norm test with eta^2 = theta^2 + nu^2") {
  // 0.6^2 + 0.8^2 = 1.
  const auto augmented = make_inner_product_test({.theta = 0.6, .nu = 0.8});
  const auto norm = make_norm_test({.eta = 1});
  RandomStream stream(5, Purpose::kTest);
  int passed = 0, failed = 0;
  for (int i = 0; i < 20000; ++i) {
    const GradientStatistics statistics =
        statistics_by_direction(9000 * std::exp(stream.normal()), 1600 * std::exp(stream.normal()));
    const bool passes = augmented->wanted({64}, statistics).reason == Reason::kPass;
    ++(passes ? passed : failed);
    if (passes) REQUIRE(norm->wanted({64}, statistics).reason == Reason::kPass);
  }
  CHECK(passed > 1000);
  CHECK(failed > 1000);
}

TEST_CASE("pure noise: the orthogonality test grows by 1/nu^2, the inner product test is blind") {
  // method.md 2.6, with theta = 0.5, nu = 0.5, d = 4000: 1/(0.25 4000) and 4.
  constexpr int kTrials = 20;
  double along = 0, across = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto statistics = brute_force(noisy_chunks(4, 16, 4000, 0, trial), 16, 4);
    along += make_inner_product_test({.theta = 0.5})->wanted({16}, statistics).local_batch_size /
             16 / kTrials;
    across += make_inner_product_test({.theta = 0.5, .nu = 0.5})
                  ->wanted({16}, statistics)
                  .local_batch_size /
              16 / kTrials;
  }
  CHECK(across == doctest::Approx(4).epsilon(0.02));
  CHECK(along < 0.003);
}

TEST_CASE("noise that hides the gradient makes the batch grow, at least to the double") {
  GradientStatistics statistics = statistics_by_direction(12800, 12800);
  statistics.squared_norm = -1;  // |g|^4 would be positive and hide it
  const auto grown = [&](const InnerProductTestSettings& settings) {
    const Wanted wanted = make_inner_product_test(settings)->wanted({64}, statistics);
    CHECK(wanted.reason == Reason::kGrow);
    CHECK(wanted.test->threshold == 0);
    CHECK_FALSE(wanted.test->passes());
    return wanted.local_batch_size;
  };
  CHECK(grown({.theta = 0.5}) == doctest::Approx(256));
  CHECK(grown({.theta = 0.9}) == 128);
  CHECK(grown({.theta = 0.9, .nu = 5.84}) == 128);
  CHECK(grown({.theta = 0.9, .nu = 0.25}) == doctest::Approx(1024));
}

TEST_CASE("statistics that no test can use keep the batch, with the reason") {
  const auto test = make_inner_product_test({.theta = 0.9, .nu = 5.84});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(test->wanted({64}, statistics_by_direction(nan, 1)).reason == Reason::kNonFinite);
  CHECK(test->wanted({64}, statistics_by_direction(1, infinity)).reason == Reason::kNonFinite);
  GradientStatistics zero = statistics_by_direction(0, 0);
  CHECK(test->wanted({64}, zero).reason == Reason::kPass);  // equal gradients
  CHECK(test->wanted({64}, zero).local_batch_size == 0);
  zero.squared_norm = 0;
  CHECK(test->wanted({64}, zero).reason == Reason::kZeroGradient);
  zero.num_chunks = 1;
  CHECK(test->wanted({64}, zero).reason == Reason::kTooFewChunks);
}
