#include "optim/sync_interval.h"

#include <doctest/doctest.h>

#include "core/make_node.h"

using namespace localbatch;

namespace {

SyncInterval read_interval(const std::vector<std::pair<std::string, Node>>& keys) {
  const Node file = map(keys);
  Options options(file);
  SyncInterval interval = make_part(sync_interval_table(), options, "", "");
  options.finish();
  return interval;
}

}  // namespace

TEST_CASE("a constant H is the same in every round, and 1 unless it is given") {
  const SyncInterval interval = make_constant_interval({.H = 16});
  CHECK(interval({.round = 0, .samples = 0, .learning_rate = 0.1}) == 16);
  CHECK(interval({.round = 1000, .samples = 1'000'000, .learning_rate = 0}) == 16);
  CHECK(read_interval({{"name", scalar("constant")}})({}) == 1);
}

TEST_CASE("post-local SGD synchronizes every step until its start, then every H") {
  const SyncInterval interval = make_post_local_interval({.start_samples = 5000, .H = 8});
  CHECK(interval({.round = 0, .samples = 0}) == 1);
  CHECK(interval({.round = 9, .samples = 4999}) == 1);
  CHECK(interval({.round = 10, .samples = 5000}) == 8);
  CHECK(interval({.round = 2, .samples = 90000}) == 8);
}

TEST_CASE("stages of H begin at their milestones") {
  const SyncInterval interval =
      make_stagewise_interval({.H = 2, .milestones = {100, 500}, .H_after = {4, 16}});
  CHECK(interval({.samples = 0}) == 2);
  CHECK(interval({.samples = 99}) == 2);
  CHECK(interval({.samples = 100}) == 4);
  CHECK(interval({.samples = 499}) == 4);
  CHECK(interval({.samples = 500}) == 16);
  CHECK(interval({.samples = 50000}) == 16);
}

TEST_CASE("stages of H need a number for each milestone, and milestones that increase") {
  const auto stages = [](const std::vector<Node>& milestones, const std::vector<Node>& later) {
    return read_interval({{"name", scalar("stagewise")},
                          {"H", scalar("2")},
                          {"milestones", list(milestones)},
                          {"H_after", list(later)}});
  };
  CHECK_THROWS_WITH_AS(
      stages({scalar("100")}, {scalar("4"), scalar("16")}),
      "test.yaml:1:1: H_after: found 2 numbers, expected one for each of 1 milestones", InputError);
  CHECK_THROWS_AS(stages({scalar("7"), scalar("7")}, {scalar("4"), scalar("16")}), InputError);
}

TEST_CASE("the quadratic rule is the square of alpha over the learning rate, from its start on") {
  const SyncInterval interval =
      make_quadratic_interval({.H = 4, .alpha = 0.125, .start_samples = 1000});
  CHECK(interval({.samples = 999, .learning_rate = 1e-9}) == 4);
  CHECK(interval({.samples = 1000, .learning_rate = 0.125}) == 4);
  CHECK(interval({.samples = 1000, .learning_rate = 0.0625}) == 4);
  CHECK(interval({.samples = 1000, .learning_rate = 0.03125}) == 16);
  CHECK(interval({.samples = 1000, .learning_rate = 0.03}) == 17);  // 17.36
  CHECK(interval({.samples = 1000, .learning_rate = 0}) == 1'000'000);
  const SyncInterval cubic = make_quadratic_interval({.alpha = 0.5, .exponent = 3});
  CHECK(cubic({.learning_rate = 0.25}) == 8);
  const SyncInterval constant = make_quadratic_interval({.H = 3, .alpha = 0});
  CHECK(constant({.learning_rate = 0.25}) == 3);
  CHECK(constant({.learning_rate = 0}) == 3);
}

TEST_CASE("AdaComm's H falls with the square root of the loss and ends at 1") {
  const SyncInterval interval = make_adacomm_interval({.H = 16});
  CHECK(interval({.round = 0}) == 16);
  CHECK(interval({.round = 1, .first_loss = 2, .last_loss = 2}) == 16);
  CHECK(interval({.round = 2, .first_loss = 2, .last_loss = 0.5}) == 8);
  CHECK(interval({.round = 3, .first_loss = 2, .last_loss = 0.45}) == 8);  // 7.59
  CHECK(interval({.round = 4, .first_loss = 2, .last_loss = 1e-9}) == 1);
  CHECK(interval({.round = 5, .first_loss = 2, .last_loss = 0}) == 1);
}

TEST_CASE("each key of a rule for H sets its own number") {
  CHECK(read_interval({{"name", scalar("constant")}, {"H", scalar("16")}})({}) == 16);
  const SyncInterval post_local = read_interval(
      {{"name", scalar("post_local")}, {"start_samples", scalar("5000")}, {"H", scalar("8")}});
  CHECK(post_local({.samples = 4999}) == 1);
  CHECK(post_local({.samples = 5000}) == 8);
  const SyncInterval stages = read_interval({{"name", scalar("stagewise")},
                                             {"H", scalar("2")},
                                             {"milestones", list({scalar("100"), scalar("500")})},
                                             {"H_after", list({scalar("4"), scalar("16")})}});
  CHECK(stages({.samples = 99}) == 2);
  CHECK(stages({.samples = 100}) == 4);
  CHECK(stages({.samples = 500}) == 16);
  const SyncInterval quadratic = read_interval({{"name", scalar("quadratic")},
                                                {"H", scalar("4")},
                                                {"alpha", scalar("0.5")},
                                                {"exponent", scalar("3")},
                                                {"start_samples", scalar("1000")}});
  CHECK(quadratic({.samples = 999, .learning_rate = 0.125}) == 4);
  CHECK(quadratic({.samples = 1000, .learning_rate = 0.125}) == 64);
  CHECK(quadratic({.samples = 1000, .learning_rate = 0.5}) == 4);
  CHECK(quadratic.depends_on_learning_rate);
  const SyncInterval adacomm = read_interval({{"name", scalar("adacomm")}, {"H", scalar("16")}});
  CHECK(adacomm({.round = 2, .first_loss = 2, .last_loss = 0.5}) == 8);
  CHECK(adacomm.depends_on_losses);
}

TEST_CASE("H is at least 1 and at most a million") {
  CHECK_THROWS_WITH_AS(read_interval({{"name", scalar("constant")}, {"H", scalar("0", 2, 4)}}),
                       "test.yaml:2:4: H: found 0, allowed is 1 .. 1000000", InputError);
  CHECK_THROWS_AS(read_interval({{"name", scalar("constant")}, {"H", scalar("1000001")}}),
                  InputError);
  CHECK_THROWS_AS(read_interval({{"name", scalar("post_local")}, {"H", scalar("8")}}), InputError);
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
