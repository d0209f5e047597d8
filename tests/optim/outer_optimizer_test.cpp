#include "optim/outer_optimizer.h"

#include <doctest/doctest.h>

#include <limits>

#include "core/make_node.h"

using namespace localbatch;

TEST_CASE("averaging makes the workers' mean the global parameters, bit by bit, without state") {
  const Node file = map({{"name", scalar("averaging")}});
  Options options(file);
  const auto optimizer = make_part(outer_optimizer_table(), options, "", "")(3);
  options.finish();
  std::vector<float> global{1, 2, 3};
  const std::vector<float> mean{0.1F, -2e30F, std::numeric_limits<float>::denorm_min()};
  optimizer->step(global, mean);
  CHECK(global == mean);
  CHECK(optimizer->state().empty());
}
