#include "batching/batch_size_controller.h"

#include <doctest/doctest.h>

#include <limits>
#include <set>

#include "batching/brute_force.h"

using namespace localbatch;

TEST_CASE("a fixed batch size is kept, whatever the statistics, and needs none") {
  const auto fixed = controller({{"name", "fixed"}});
  CHECK_FALSE(fixed->needs().any());
  const Wanted wanted = fixed->wanted({48}, {});
  CHECK(wanted.reason == Reason::kFixed);
  CHECK(wanted.local_batch_size == 48);
  CHECK_FALSE(wanted.test);
  CHECK(controller({{"name", "norm_test"}})->needs().any());
  CHECK(controller({{"name", "inner_product_test"}})->needs().any());
}

TEST_CASE("each reason has a name of its own") {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Reason::kGrowthLimit); ++i)
    names.insert(to_string(static_cast<Reason>(i)));
  const std::set<std::string_view> expected{
      "fixed",  "schedule",       "not_due",       "pass",       "grow",
      "shrink", "too_few_chunks", "zero_gradient", "non_finite", "cap",
      "floor",  "rounding",       "growth_limit"};
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
      "test.yaml:1:1: name: found 'normtest', allowed is fixed | stagewise | linear "
      "| geometric | norm_test | inner_product_test | coordinate_norm_test | "
      "gradient_noise_scale | cabs (did you mean "
      "'norm_test'?)",
      InputError);
  CHECK_THROWS_WITH_AS(controller({{"name", "norm_test"}, {"theta", "0.9"}}),
                       "test.yaml:1:1: theta: unknown key, allowed is name | eta (did you mean "
                       "'eta'?)",
                       InputError);
  CHECK_THROWS_AS(controller({{"name", "norm_test"}, {"eta", "0"}}), InputError);
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
