#include <doctest/doctest.h>

#include "core/make_node.h"
#include "optim/learning_rate.h"

using namespace localbatch;

namespace {

LearningRateCoupling read_coupling(const std::vector<std::pair<std::string, Node>>& keys) {
  const Node file = map(keys);
  Options options(file);
  LearningRateCoupling coupling = make_part(learning_rate_coupling_table(), options, "", "");
  options.finish();
  return coupling;
}

}  // namespace

TEST_CASE("AdaScale's gain lies between 1 without noise and the growth without gradient") {
  const LearningRateCoupling gain = make_adascale_coupling(CouplingSettings{});
  const auto at = [&](double variance, double squared_norm) {
    return gain({.growth = 8, .initial_variance = variance, .squared_norm = squared_norm});
  };
  CHECK(gain.needs_statistics);
  CHECK(at(0, 0) == 1);  // nothing measured yet
  CHECK(at(0, 5) == 1);
  CHECK(at(5, 0) == doctest::Approx(8));
  CHECK(at(5, -1) == doctest::Approx(8));  // an unbiased squared norm may be negative
  CHECK(at(3, 2) == doctest::Approx(5 / (3.0 / 8 + 2)));
  CHECK(make_adascale_coupling({.max_factor = 1.5})(
            {.growth = 8, .initial_variance = 3, .squared_norm = 2}) == 1.5);
}

TEST_CASE("the learning rate follows the growth of the batch, its root, or nothing") {
  const LearningRateCoupling none{}, linear = make_linear_coupling(CouplingSettings{}),
                                     root = make_sqrt_coupling(CouplingSettings{});
  CHECK(none({.growth = 8}) == 1);
  CHECK(linear({.growth = 8}) == 8);
  CHECK(root({.growth = 16}) == 4);
  for (const LearningRateCoupling& coupling : {none, linear, root})
    CHECK(coupling({.growth = 1}) == 1);
  CHECK(linear({.growth = 0.5}) == 0.5);  // a batch that shrank
}

TEST_CASE("the coupling of a name is the one that an experiment file gets") {
  CHECK(read_coupling({{"name", scalar("none")}})({.growth = 8}) == 1);
  CHECK(read_coupling({{"name", scalar("linear")}})({.growth = 8}) == 8);
  CHECK(read_coupling({{"name", scalar("linear")}, {"max_factor", scalar("3")}})({.growth = 8}) ==
        3);
  CHECK(read_coupling({{"name", scalar("sqrt")}})({.growth = 16}) == 4);
  CHECK(read_coupling({{"name", scalar("sqrt")}, {"max_factor", scalar("3")}})({.growth = 16}) ==
        3);
  CHECK(read_coupling({{"name", scalar("adascale")}}).needs_statistics);
  CHECK(read_coupling({{"name", scalar("adascale")}, {"max_factor", scalar("1.5")}})(
            {.growth = 8, .initial_variance = 3, .squared_norm = 2}) == 1.5);
}

TEST_CASE("the factor is bounded where a bound is given, and a bound below 1 is refused") {
  const auto bounded = make_linear_coupling({.max_factor = 3});
  CHECK(bounded({.growth = 2}) == 2);
  CHECK(bounded({.growth = 100}) == 3);
  CHECK_THROWS_WITH_AS(
      read_coupling({{"name", scalar("sqrt")}, {"max_factor", scalar("0.5", 2, 4)}}),
      "test.yaml:2:4: max_factor: found 0.5, allowed is 0 or at least 1", InputError);
}

TEST_CASE("all couplings can be described") {
  for (const PartRow<LearningRateCoupling>& row : learning_rate_coupling_table()) {
    Options options = Options::describing();
    CHECK(row.make(options)({}) == 1);
    for (const Declaration& declared : options.declarations())
      CHECK_FALSE(declared.meaning.empty());
  }
}
