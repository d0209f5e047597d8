#include "optim/learning_rate_coupling.h"

#include <doctest/doctest.h>

#include "core/make_node.h"

using namespace localbatch;

namespace {

LearningRateCoupling choose(const std::vector<std::pair<std::string, Node>>& keys) {
  const Node file = map(keys);
  Options options(file);
  LearningRateCoupling coupling = make_part(learning_rate_coupling_table(), options, "", "");
  options.finish();
  return coupling;
}

}  // namespace

TEST_CASE("the learning rate follows the growth of the batch, its root, or nothing") {
  CHECK(choose({{"name", scalar("none")}})(8) == 1);
  CHECK(choose({{"name", scalar("linear")}})(8) == 8);
  CHECK(choose({{"name", scalar("sqrt")}})(16) == 4);
  for (const char* const name : {"none", "linear", "sqrt"})
    CHECK(choose({{"name", scalar(name)}})(1) == 1);
  CHECK(choose({{"name", scalar("linear")}})(0.5) == 0.5);  // a batch that shrank
}

TEST_CASE("the factor is bounded where a bound is given, and a bound below 1 is refused") {
  const auto bounded = choose({{"name", scalar("linear")}, {"max_factor", scalar("3")}});
  CHECK(bounded(2) == 2);
  CHECK(bounded(100) == 3);
  CHECK_THROWS_WITH_AS(choose({{"name", scalar("sqrt")}, {"max_factor", scalar("0.5", 2, 4)}}),
                       "test.yaml:2:4: max_factor: found 0.5, allowed is 0 or at least 1",
                       InputError);
}

TEST_CASE("all couplings can be described") {
  for (const PartRow<LearningRateCoupling>& row : learning_rate_coupling_table()) {
    Options options = Options::describing();
    CHECK(row.make(options)(1) == 1);
    for (const Declaration& declared : options.declarations())
      CHECK_FALSE(declared.meaning.empty());
  }
}
