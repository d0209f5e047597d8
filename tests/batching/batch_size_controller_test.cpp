#include "batching/batch_size_controller.h"

#include <doctest/doctest.h>

#include <limits>
#include <set>

#include "batching/brute_force.h"
#include "batching/noise_tests.h"
#include "batching/schedules.h"

using namespace localbatch;

TEST_CASE("a fixed batch size is kept, whatever the statistics, and needs none") {
  const auto fixed = make_fixed();
  CHECK_FALSE(fixed->needs().any());
  const Wanted wanted = fixed->wanted({48}, {});
  CHECK(wanted.reason == Reason::kFixed);
  CHECK(wanted.local_batch_size == 48);
  CHECK_FALSE(wanted.test);
  CHECK(make_norm_test(NormTestSettings{})->needs().any());
  CHECK(make_inner_product_test(InnerProductTestSettings{})->needs().any());
}

TEST_CASE("each reason has a name of its own") {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Reason::kGrowthLimit); ++i)
    names.insert(to_string(static_cast<Reason>(i)));
  const std::set<std::string_view> expected{
      "fixed",  "schedule",       "not_due",       "pass",       "grow",
      "shrink", "too_few_chunks", "zero_gradient", "non_finite", "cap",
      "floor",  "rounding",       "growth_limit",  "hysteresis"};
  CHECK(names == expected);
}

TEST_CASE("statistics are refused for the first of: too few chunks, not finite, nothing there") {
  GradientStatistics statistics{
      .num_workers = 2, .num_chunks = 2, .global_batch_size = 8, .variance = 1, .squared_norm = 1};
  CHECK_FALSE(unusable(statistics));
  CHECK_FALSE(noise_hides_gradient(statistics));
  statistics.squared_norm = -1;
  CHECK_FALSE(unusable(statistics));
  CHECK(noise_hides_gradient(statistics));
  statistics.variance = 0;
  CHECK(unusable(statistics) == Reason::kZeroGradient);
  CHECK_FALSE(noise_hides_gradient(statistics));
  statistics.orthogonal_variance = std::numeric_limits<double>::quiet_NaN();
  CHECK(unusable(statistics) == Reason::kNonFinite);
  statistics.num_chunks = 1;
  CHECK(unusable(statistics) == Reason::kTooFewChunks);
}

TEST_CASE("an unknown controller or key is refused with the nearest name") {
  CHECK_THROWS_WITH_AS(
      controller({{"name", "normtest"}}),
      "test.yaml:1:1: name: found 'normtest', allowed is norm_test and 12 others (did you mean "
      "'norm_test'?)",
      InputError);
  CHECK_THROWS_WITH_AS(controller({{"name", "norm_test"}, {"theta", "0.9"}}),
                       "test.yaml:1:1: theta: unknown key, allowed is name | eta (did you mean "
                       "'eta'?)",
                       InputError);
  CHECK_THROWS_AS(controller({{"name", "norm_test"}, {"eta", "0"}}), InputError);
}

TEST_CASE("each key of a controller sets its own parameter") {
  const GradientStatistics statistics{.num_workers = 4,
                                      .num_chunks = 4,
                                      .global_batch_size = 256,
                                      .variance = 1000,
                                      .squared_norm = 10,
                                      .inner_product_variance = 12800,
                                      .orthogonal_variance = 12800,
                                      .coordinate_ratios = CoordinateRatios{8, 32, 128, 512, 2048}};
  const auto thresholds = [&](const std::vector<std::pair<std::string, std::string>>& keys) {
    const Wanted wanted = controller(keys)->wanted({.local_batch_size = 64, .loss = 3}, statistics);
    return std::pair(wanted.test->threshold,
                     wanted.orthogonality ? wanted.orthogonality->threshold : -1);
  };
  CHECK(thresholds({{"name", "norm_test"}, {"eta", "0.5"}}) == std::pair(2.5, -1.0));
  CHECK(thresholds({{"name", "gradient_noise_scale"}, {"scale", "4"}}) == std::pair(2.5, -1.0));
  CHECK(thresholds({{"name", "inner_product_test"}, {"theta", "0.5"}}) == std::pair(25.0, -1.0));
  CHECK(thresholds({{"name", "inner_product_test"}, {"theta", "0.5"}, {"nu", "2"}}) ==
        std::pair(25.0, 40.0));
  CHECK(thresholds({{"name", "cabs"}, {"scale", "2"}}) == std::pair(3.0, -1.0));
  CHECK(thresholds({{"name", "coordinate_norm_test"}, {"eta", "0.5"}}) == std::pair(0.25, -1.0));
  const auto statistic = [&](const char* share) {
    return controller({{"name", "coordinate_norm_test"}, {"share", share}})
        ->wanted({64}, statistics)
        .test->statistic;
  };
  CHECK(statistic("0.5") == 8.0 / 256);
  CHECK(statistic("0.99") == 128.0 / 256);
  CHECK(statistic("1") == 2048.0 / 256);
}

TEST_CASE("all controllers can be described") {
  for (const PartRow<std::shared_ptr<const BatchSizeController>>& row :
       batch_size_controller_table()) {
    Options options = Options::describing();
    CHECK_NOTHROW(row.make(options));
    for (const Declaration& declared : options.declarations())
      CHECK_FALSE(declared.meaning.empty());
  }
}
