#include <doctest/doctest.h>

#include <limits>

#include "batching/brute_force.h"
#include "batching/noise_tests.h"

using namespace localbatch;

TEST_CASE("the norm test compares the variance of the mean gradient with eta^2 of its norm") {
  // 1000/256 = 3.90625 > 0.25 10; 1000/(4 0.25 10) = 100 samples per worker would do.
  const Wanted fails = make_norm_test({.eta = 0.5})->wanted({64}, statistics_of(1000, 10));
  CHECK(fails.reason == Reason::kGrow);
  REQUIRE(fails.test);
  CHECK(fails.test->statistic == 3.90625);
  CHECK(fails.test->threshold == 2.5);
  CHECK(fails.local_batch_size == doctest::Approx(100));
  CHECK_FALSE(fails.orthogonality);

  const Wanted passes = make_norm_test({.eta = 1})->wanted({64}, statistics_of(1000, 10));
  CHECK(passes.reason == Reason::kPass);
  CHECK(passes.test->threshold == 10);
  CHECK(passes.local_batch_size == doctest::Approx(25));
}

TEST_CASE(
    "the wanted size depends on the variance of a sample, not on the batch it was measured with") {
  GradientStatistics statistics = statistics_of(1000, 10);
  const Wanted small = make_norm_test({.eta = 0.5})->wanted({64}, statistics);
  statistics.global_batch_size = 2560;
  const Wanted large = make_norm_test({.eta = 0.5})->wanted({640}, statistics);
  CHECK(large.test->statistic == doctest::Approx(small.test->statistic / 10));
  CHECK(large.local_batch_size == doctest::Approx(small.local_batch_size));
  CHECK(large.reason == Reason::kPass);
}

TEST_CASE("chunks of any size ask for the same batch when the signal is clear") {
  // S = d and |signal|^2 = d, so the wanted size is 1/(M eta^2) = 25.
  for (const int samples : {16, 64, 256}) {
    CAPTURE(samples);
    const auto statistics = brute_force(noisy_chunks(4, samples, 4000, 1.0, samples), samples, 4);
    const Wanted wanted = make_norm_test({.eta = 0.1})->wanted({samples}, statistics);
    CHECK(wanted.local_batch_size == doctest::Approx(25).epsilon(0.06));
    CHECK(wanted.reason == (samples == 16 ? Reason::kGrow : Reason::kPass));
  }
}

TEST_CASE("as many workers more need as many times fewer samples each") {
  GradientStatistics statistics = statistics_of(1000, 10);
  const double four = make_norm_test({.eta = 0.5})->wanted({64}, statistics).local_batch_size;
  statistics.num_workers = 8;
  statistics.global_batch_size = 512;
  CHECK(make_norm_test({.eta = 0.5})->wanted({64}, statistics).local_batch_size ==
        doctest::Approx(four / 2));
}

TEST_CASE("pure noise makes the batch grow by 1/eta^2") {
  // method.md 2.4: E|g|^2 = S/(M b), so statistic and squared norm agree on average.
  constexpr int kTrials = 40;
  for (const double eta : {0.5, 0.8, 0.9}) {
    CAPTURE(eta);
    const auto test = make_norm_test({.eta = eta});
    double growth = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
      const Wanted wanted =
          test->wanted({32}, brute_force(noisy_chunks(4, 32, 4000, 0, trial), 32, 4));
      CHECK(wanted.reason == Reason::kGrow);
      growth += wanted.local_batch_size / 32 / kTrials;
    }
    CHECK(growth == doctest::Approx(1 / (eta * eta)).epsilon(0.02));
  }
}

TEST_CASE("equal gradients pass and need no samples") {
  const Wanted wanted = make_norm_test({.eta = 0.1})->wanted({64}, statistics_of(0, 3));
  CHECK(wanted.reason == Reason::kPass);
  CHECK(wanted.local_batch_size == 0);
  CHECK(wanted.test->statistic == 0);
}

TEST_CASE("no gradient and no noise: the batch stays, and the reason says so") {
  const Wanted wanted = make_norm_test({.eta = 0.5})->wanted({64}, statistics_of(0, 0));
  CHECK(wanted.reason == Reason::kZeroGradient);
  CHECK_FALSE(wanted.test);
}

TEST_CASE("noise that hides the gradient makes the batch grow by 1/eta^2, and at least double") {
  for (const double squared_norm : {-2.0, 0.0}) {
    CAPTURE(squared_norm);
    const GradientStatistics statistics = statistics_of(1000, squared_norm);
    const Wanted wanted = make_norm_test({.eta = 0.5})->wanted({64}, statistics);
    CHECK(wanted.reason == Reason::kGrow);
    CHECK(wanted.local_batch_size == doctest::Approx(256));
    CHECK_FALSE(wanted.test->passes());
    CHECK(wanted.test->threshold == 0);
    CHECK(make_norm_test({.eta = 0.8})->wanted({64}, statistics).local_batch_size == 128);
    CHECK(make_norm_test({.eta = 100})->wanted({64}, statistics).local_batch_size == 128);
  }
}

TEST_CASE("infinities and NaNs keep the batch and say so") {
  using Limits = std::numeric_limits<double>;
  for (const double bad : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()}) {
    CHECK(make_norm_test({.eta = 0.5})->wanted({64}, statistics_of(bad, 1)).reason ==
          Reason::kNonFinite);
    CHECK(make_norm_test({.eta = 0.5})->wanted({64}, statistics_of(1, bad)).reason ==
          Reason::kNonFinite);
  }
}

TEST_CASE("one worker with one chunk has no variance; one worker with several chunks has one") {
  GradientStatistics statistics = statistics_of(1000, 10);
  statistics.num_workers = 1;
  statistics.global_batch_size = 64;
  const Wanted wanted = make_norm_test({.eta = 0.5})->wanted({64}, statistics);
  CHECK(wanted.reason == Reason::kGrow);
  CHECK(wanted.local_batch_size == doctest::Approx(400));
  statistics.num_chunks = 1;
  CHECK(make_norm_test({.eta = 0.5})->wanted({64}, statistics).reason == Reason::kTooFewChunks);
}

TEST_CASE("rounding never contradicts the test: a pass wants no more than the batch, a fail more") {
  RandomStream stream(1, Purpose::kTest);
  const auto test = make_norm_test({.eta = 0.7});
  const double infinity = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 20000; ++i) {
    const int b = 1 + static_cast<int>(stream.below(5000));
    GradientStatistics statistics = statistics_of(0, std::exp(10.0 * stream.normal()));
    statistics.global_batch_size = std::int64_t{4} * b;
    const double limit = 4.0 * b * 0.7 * 0.7 * statistics.squared_norm;
    for (const double variance :
         {limit, std::nextafter(limit, 0.0), std::nextafter(limit, infinity)}) {
      statistics.variance = variance;
      const Wanted wanted = test->wanted({b}, statistics);
      if (wanted.reason == Reason::kPass) {
        REQUIRE(wanted.local_batch_size <= b);
      } else {
        REQUIRE(wanted.local_batch_size > b);
      }
    }
  }
}
