#include "optim/sync_interval.h"

#include <doctest/doctest.h>

#include "core/make_node.h"

using namespace localbatch;

namespace {

SyncInterval choose(const std::vector<std::pair<std::string, Node>>& keys) {
  const Node file = map(keys);
  Options options(file);
  SyncInterval interval = make_part(sync_interval_table(), options, "", "");
  options.finish();
  return interval;
}

}  // namespace

TEST_CASE("a constant H is the same in every round, and 1 unless it is given") {
  const SyncInterval interval = choose({{"name", scalar("constant")}, {"H", scalar("16")}});
  CHECK(interval({.round = 0, .samples = 0, .learning_rate = 0.1}) == 16);
  CHECK(interval({.round = 1000, .samples = 1'000'000, .learning_rate = 0}) == 16);
  CHECK(choose({{"name", scalar("constant")}})({}) == 1);
}

TEST_CASE("post-local SGD synchronizes every step until its start, then every H") {
  const SyncInterval interval = choose(
      {{"name", scalar("post_local")}, {"start_samples", scalar("5000")}, {"H", scalar("8")}});
  CHECK(interval({.round = 0, .samples = 0}) == 1);
  CHECK(interval({.round = 9, .samples = 4999}) == 1);
  CHECK(interval({.round = 10, .samples = 5000}) == 8);
  CHECK(interval({.round = 2, .samples = 90000}) == 8);
}

TEST_CASE("H is at least 1 and at most a million") {
  CHECK_THROWS_WITH_AS(choose({{"name", scalar("constant")}, {"H", scalar("0", 2, 4)}}),
                       "test.yaml:2:4: H: found 0, allowed is 1 .. 1000000", InputError);
  CHECK_THROWS_AS(choose({{"name", scalar("constant")}, {"H", scalar("1000001")}}), InputError);
  CHECK_THROWS_AS(choose({{"name", scalar("post_local")}, {"H", scalar("8")}}), InputError);
}

TEST_CASE("all rules for H can be described") {
  for (const PartRow<SyncInterval>& row : sync_interval_table()) {
    Options options = Options::describing();
    const SyncInterval interval = row.make(options);
    CHECK(interval({}) >= 1);
    for (const Declaration& declared : options.declarations())
      CHECK_FALSE(declared.meaning.empty());
  }
}
