#include <doctest/doctest.h>

#include <limits>

#include "batching/brute_force.h"
#include "batching/noise_scales.h"
#include "batching/noise_tests.h"

using namespace localbatch;

// Controllers that size the batch by the variance of gradients without being called a test.

namespace {

BatchContext round_with(double learning_rate, double loss) {
  return {.local_batch_size = 64, .learning_rate = learning_rate, .loss = loss};
}

}  // namespace

TEST_CASE("the gradient noise scale asks for variance over squared norm, shared by the workers") {
  const auto scale_1 = make_gradient_noise_scale(GradientNoiseScaleSettings{});
  CHECK(scale_1->needs().any());
  const Wanted grows = scale_1->wanted({64}, statistics_of(4000, 10));  // 400 samples in all
  CHECK(grows.reason == Reason::kGrow);
  CHECK(grows.local_batch_size == doctest::Approx(100));
  const Wanted passes = scale_1->wanted({64}, statistics_of(1000, 10));
  CHECK(passes.reason == Reason::kPass);
  CHECK(passes.local_batch_size == doctest::Approx(25));
  const auto scale_2 = make_gradient_noise_scale({.scale = 2});
  CHECK(scale_2->wanted({64}, statistics_of(4000, 10)).local_batch_size == doctest::Approx(200));
}

TEST_CASE("the gradient noise scale is the norm test with eta^2 = 1/scale") {
  const auto noise_scale = make_gradient_noise_scale({.scale = 4});
  const auto norm_test = make_norm_test({.eta = 0.5});
  for (const double squared_norm : {-1.0, 0.0, 0.1, 10.0, 1000.0}) {
    CAPTURE(squared_norm);
    const GradientStatistics statistics = statistics_of(1000, squared_norm);
    const Wanted a = noise_scale->wanted({64}, statistics), b = norm_test->wanted({64}, statistics);
    CHECK(a.reason == b.reason);
    CHECK(a.local_batch_size == doctest::Approx(b.local_batch_size));
    CHECK(a.test->threshold == doctest::Approx(b.test->threshold));
  }
}

TEST_CASE("DiveBatch asks for the diversity of gradients, shared by the workers") {
  // Of samples -1, 1, 3 and 5 in one dimension: mean 2, mean square 9, so n sum g^2/|sum g|^2 =
  // 4 36/64 = 2.25, and the variance is 5 with the divisor n.
  const double diversity = 4.0 * (1 + 1 + 9 + 25) / (8.0 * 8.0);
  const auto rule = make_divebatch({.scale = 100});
  const Wanted wanted = rule->wanted({64}, statistics_of(5, 4));
  CHECK(wanted.local_batch_size == doctest::Approx(100 * diversity / 4));  // of four workers
  CHECK(wanted.reason == (wanted.local_batch_size > 64 ? Reason::kGrow : Reason::kPass));
  CHECK(rule->needs().variance);
  CHECK(rule->wanted({64}, statistics_of(5, 0)).local_batch_size == doctest::Approx(6400));
  CHECK(make_divebatch({.scale = 0.1})->wanted({64}, statistics_of(5, -1)).local_batch_size ==
        doctest::Approx(128));
}

TEST_CASE("SimiGrad asks for the batch whose halves have the cosine that is asked for") {
  for (const double similarity : {0.1, 0.5, 0.9}) {
    CAPTURE(similarity);
    const double variance = 4000, squared_norm = 10;
    const double b = make_simigrad({.similarity = similarity})
                         ->wanted({64}, statistics_of(variance, squared_norm))
                         .local_batch_size;
    // Halves g + e and g + f with independent e, f of variance/(N/2): E (g+e)(g+f) = |g|^2 and
    // E |g+e|^2 = |g|^2 + 2 variance/N.
    const double N = 4 * b;
    CHECK(squared_norm / (squared_norm + 2 * variance / N) == doctest::Approx(similarity));
  }
}

TEST_CASE("CABS asks for learning rate times variance over loss, shared by the workers") {
  const auto cabs = make_cabs(CabsSettings{});
  CHECK(cabs->needs().any());
  // 0.1 8000/2 = 400 samples in all.
  const Wanted grows = cabs->wanted(round_with(0.1, 2), statistics_of(8000, 1));
  CHECK(grows.reason == Reason::kGrow);
  CHECK(grows.local_batch_size == doctest::Approx(100));
  CHECK(cabs->wanted(round_with(0.1, 8), statistics_of(8000, 1)).reason == Reason::kPass);
  CHECK(cabs->wanted(round_with(0.1, 8), statistics_of(8000, 1)).local_batch_size ==
        doctest::Approx(25));
  const auto half = make_cabs({.scale = 0.5});
  CHECK(half->wanted(round_with(0.1, 2), statistics_of(8000, 1)).local_batch_size ==
        doctest::Approx(50));
}

TEST_CASE("CABS without a learning rate wants no batch, without a loss any") {
  const auto cabs = make_cabs(CabsSettings{});
  const Wanted still = cabs->wanted(round_with(0, 2), statistics_of(8000, 1));
  CHECK(still.reason == Reason::kPass);
  CHECK(still.local_batch_size == 0);
  const Wanted solved = cabs->wanted(round_with(0.1, 0), statistics_of(8000, 1));
  CHECK(solved.reason == Reason::kGrow);
  CHECK(solved.local_batch_size == std::numeric_limits<double>::infinity());
}

TEST_CASE("CABS refuses a loss that is no number, as the last steps of a round may give") {
  const auto cabs = make_cabs(CabsSettings{});
  for (const double loss :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    CHECK(cabs->wanted(round_with(0.1, loss), statistics_of(8000, 1)).reason == Reason::kNonFinite);
}

TEST_CASE("both refuse statistics of one chunk, of nothing and of no number") {
  for (const char* const name : {"gradient_noise_scale", "cabs"}) {
    CAPTURE(name);
    const auto rule = controller({{"name", name}});
    GradientStatistics statistics = statistics_of(std::numeric_limits<double>::quiet_NaN(), 1);
    CHECK(rule->wanted(round_with(0.1, 1), statistics).reason == Reason::kNonFinite);
    CHECK(rule->wanted(round_with(0.1, 1), statistics_of(0, 0)).reason == Reason::kZeroGradient);
    statistics.num_chunks = 1;
    CHECK(rule->wanted(round_with(0.1, 1), statistics).reason == Reason::kTooFewChunks);
  }
}
