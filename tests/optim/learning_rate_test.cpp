#include "optim/learning_rate.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "core/make_node.h"

using namespace localbatch;

namespace {

using Keys = std::vector<std::pair<std::string, Node>>;

LearningRate read_rate(const char* name, Keys keys) {
  keys.push_back({"name", scalar(name)});
  const Node file = map(keys);
  Options options(file);
  LearningRate rate = make_part(learning_rate_table(), options, "", "");
  options.finish();
  return rate;
}

constexpr WarmUp kWarmUp{.peak = 0.5, .samples = 1000};
const Keys kWarmUpKeys{{"peak", scalar("0.5")}, {"warmup_samples", scalar("1000")}};

Keys with(Keys keys, const Keys& more) {
  keys.insert(keys.end(), more.begin(), more.end());
  return keys;
}

}  // namespace

TEST_CASE("a constant learning rate is the peak everywhere") {
  const LearningRate rate = make_constant_rate({.peak = 0.3});
  for (const std::int64_t n : {0, 1, 500, 1000, 5000}) CHECK(rate(n, 1000) == 0.3);
}

TEST_CASE("every schedule warms up on a straight line from 0 to the peak") {
  for (const LearningRate& rate :
       {make_constant_rate(kWarmUp), make_cosine_rate({.warm_up = kWarmUp}),
        make_linear_rate({.warm_up = kWarmUp}),
        make_multistep_rate({.warm_up = kWarmUp, .milestones = {5000}}),
        make_wsd_rate({.decay = {.warm_up = kWarmUp}, .start_samples = 5000}),
        make_power_rate({.warm_up = kWarmUp, .factor = 20})}) {
    CHECK(rate(0, 10000) == 0);
    CHECK(rate(1, 10000) == doctest::Approx(0.0005));
    CHECK(rate(250, 10000) == 0.125);
    CHECK(rate(999, 10000) == doctest::Approx(0.4995));
    CHECK(rate(1000, 10000) == 0.5);
  }
}

TEST_CASE("a cosine falls from the peak to the minimum over the rest of the budget") {
  const LearningRate rate = make_cosine_rate({.warm_up = kWarmUp, .min = 0.1});
  const std::int64_t budget = 9000;
  CHECK(rate(1000, budget) == 0.5);
  CHECK(rate(3000, budget) ==
        doctest::Approx(0.1 + 0.4 * 0.5 * (1 + std::sqrt(0.5))));  // cos(pi/4)
  CHECK(rate(5000, budget) == doctest::Approx(0.3));
  CHECK(rate(7000, budget) == doctest::Approx(0.1 + 0.4 * 0.5 * (1 - std::sqrt(0.5))));
  CHECK(rate(9000, budget) == 0.1);
  CHECK(rate(20000, budget) == 0.1);
}

TEST_CASE("a cosine is the companion code's at its own settings") {
  // peak 0.5, min 0.05, warm-up 1 M, decay end 9 M of 10 M samples (method.md 4.2).
  const LearningRate rate = make_cosine_rate({.warm_up = {.peak = 0.5, .samples = 1'000'000},
                                              .min = 0.05,
                                              .decay_end_samples = 9'000'000});
  for (std::int64_t n = 1'000'000; n <= 9'000'000; n += 123'456) {
    const double p = static_cast<double>(n - 1'000'000) / 8e6;
    CHECK(rate(n, 10'000'000) ==
          doctest::Approx(0.05 + 0.5 * (1 + std::cos(std::numbers::pi * p)) * 0.45).epsilon(1e-14));
  }
  CHECK(rate(9'500'000, 10'000'000) == 0.05);
}

TEST_CASE("a line falls evenly from the peak to the minimum") {
  const LearningRate rate = make_linear_rate({.warm_up = kWarmUp, .min = 0.1});
  CHECK(rate(1000, 9000) == 0.5);
  CHECK(rate(3000, 9000) == doctest::Approx(0.4));
  CHECK(rate(5000, 9000) == doctest::Approx(0.3));
  CHECK(rate(9000, 9000) == 0.1);
  CHECK(rate(9001, 9000) == 0.1);
}

TEST_CASE("a cooldown begins where it is told and falls as a line or with a root") {
  CooldownSettings settings{.decay = {.warm_up = kWarmUp, .min = 0.1}, .start_samples = 5000};
  const LearningRate root = make_wsd_rate(settings);
  settings.shape = CooldownSettings::Shape::kLinear;
  const LearningRate line = make_wsd_rate(settings);
  const std::int64_t budget = 9000;
  for (const LearningRate& rate : {root, line}) {
    for (const std::int64_t n : {1000, 3000, 5000}) CHECK(rate(n, budget) == 0.5);
    CHECK(rate(9000, budget) == 0.1);
    CHECK(rate(10000, budget) == 0.1);
    CHECK(rate(4000, 4500) == 0.5);  // the budget ends before the cooldown
  }
  CHECK(line(6000, budget) == doctest::Approx(0.4));
  CHECK(root(6000, budget) == doctest::Approx(0.1 + 0.4 * (1 - 0.5)));
  CHECK(root(8000, budget) == doctest::Approx(0.1 + 0.4 * (1 - std::sqrt(0.75))));
}

TEST_CASE("a power of the samples holds where it is below the peak") {
  const LearningRate rate = make_power_rate({.warm_up = kWarmUp, .factor = 20, .exponent = -0.5});
  CHECK(rate(1600, 1) == doctest::Approx(0.5));
  CHECK(rate(1500, 1) == 0.5);
  CHECK(rate(6400, 1) == doctest::Approx(0.25));
  CHECK(rate(40000, 100) == doctest::Approx(0.1));
}

TEST_CASE("a decay that ends before the budget does not look at the budget") {
  const DecaySettings settings{.warm_up = kWarmUp, .min = 0.1, .decay_end_samples = 5000};
  for (const LearningRate& rate : {make_cosine_rate(settings), make_linear_rate(settings)}) {
    for (const std::int64_t n : {0, 500, 1000, 3000, 4999, 5000, 7000})
      CHECK(rate(n, 6000) == rate(n, 60000));
    CHECK(rate(3000, 6000) == doctest::Approx(0.3));
    CHECK(rate(5000, 6000) == 0.1);
  }
}

TEST_CASE("a budget that ends within the warm-up leaves the warm-up alone, then the minimum") {
  const DecaySettings settings{.warm_up = kWarmUp};
  for (const LearningRate& rate : {make_cosine_rate(settings), make_linear_rate(settings)}) {
    for (const std::int64_t budget : {500, 1000}) {
      CHECK(rate(400, budget) == doctest::Approx(0.2));
      CHECK(rate(1000, budget) == 0);
    }
  }
}

TEST_CASE("a schedule of steps is multiplied by the factor at each milestone, from it on") {
  const LearningRate rate =
      make_multistep_rate({.warm_up = kWarmUp, .milestones = {2000, 3000}, .factor = 0.5});
  CHECK(rate(1999, 4000) == 0.5);
  CHECK(rate(2000, 4000) == 0.25);
  CHECK(rate(2999, 4000) == 0.25);
  CHECK(rate(3000, 4000) == 0.125);
  CHECK(rate(90000, 4000) == 0.125);
}

TEST_CASE("each key of a learning rate sets its own number") {
  const Keys decay{{"min", scalar("0.1")}, {"decay_end_samples", scalar("5000")}};
  const DecaySettings settings{.warm_up = kWarmUp, .min = 0.1, .decay_end_samples = 5000};
  const LearningRate constant = read_rate("constant", kWarmUpKeys),
                     cosine = read_rate("cosine", with(kWarmUpKeys, decay)),
                     linear = read_rate("linear", with(kWarmUpKeys, decay)),
                     whole = read_rate("linear", kWarmUpKeys),
                     steps = read_rate("multistep",
                                       with(kWarmUpKeys, {{"milestones", list({scalar("2000")})},
                                                          {"factor", scalar("0.5")}}));
  for (const std::int64_t n : {0, 500, 1000, 2000, 3000, 4999, 5000}) {
    CHECK(constant(n, 6000) == make_constant_rate(kWarmUp)(n, 6000));
    CHECK(cosine(n, 6000) == make_cosine_rate(settings)(n, 6000));
    CHECK(linear(n, 6000) == make_linear_rate(settings)(n, 6000));
    CHECK(whole(n, 6000) == make_linear_rate({.warm_up = kWarmUp})(n, 6000));
    CHECK(steps(n, 6000) ==
          make_multistep_rate({.warm_up = kWarmUp, .milestones = {2000}, .factor = 0.5})(n, 6000));
  }
}

TEST_CASE("milestones that do not increase, or lie within the warm-up, are refused") {
  const auto read_milestones = [](const std::vector<Node>& milestones) {
    return read_rate("multistep", with(kWarmUpKeys, {{"milestones", list(milestones, 4, 13)}}));
  };
  CHECK_THROWS_WITH_AS(read_milestones({scalar("3000"), scalar("3000")}),
                       "test.yaml:4:13: milestones: found [3000, 3000], each must be more than the "
                       "one before it",
                       InputError);
  CHECK_THROWS_WITH_AS(read_milestones({scalar("1000"), scalar("3000")}),
                       "test.yaml:4:13: milestones: found 1000, allowed is more than the "
                       "warmup_samples 1000",
                       InputError);
  CHECK_NOTHROW(read_milestones({scalar("1001"), scalar("3000")}));
}

TEST_CASE("a decay that ends within the warm-up, or a minimum above the peak, is refused") {
  CHECK_THROWS_WITH_AS(
      read_rate("cosine", with(kWarmUpKeys, {{"decay_end_samples", scalar("1000", 5, 20)}})),
      "test.yaml:5:20: decay_end_samples: found 1000, allowed is 0 or more than the "
      "warmup_samples 1000",
      InputError);
  CHECK_THROWS_WITH_AS(read_rate("linear", with(kWarmUpKeys, {{"min", scalar("0.6", 5, 6)}})),
                       "test.yaml:5:6: min: found 0.6, allowed is at most the peak 0.5",
                       InputError);
  CHECK_NOTHROW(read_rate("linear", with(kWarmUpKeys, {{"min", scalar("0.5")}})));
}

TEST_CASE("a cooldown within the warm-up, or behind its own end, is refused") {
  const auto refused = [](const Keys& more) {
    CHECK_THROWS_AS(read_rate("wsd", with(kWarmUpKeys, more)), InputError);
  };
  refused({});
  refused({{"decay_start_samples", scalar("999")}});
  refused({{"decay_start_samples", scalar("5000")}, {"decay_end_samples", scalar("5000")}});
  const LearningRate rate =
      read_rate("wsd", with(kWarmUpKeys, {{"decay_start_samples", scalar("5000")},
                                          {"decay_end_samples", scalar("6000")},
                                          {"shape", scalar("linear")}}));
  CHECK(rate(5500, 100000) == doctest::Approx(0.25));
}

TEST_CASE("all learning rates can be described") {
  for (const PartRow<LearningRate>& row : learning_rate_table()) {
    Options options = Options::describing();
    CHECK_NOTHROW(row.make(options));
    for (const Declaration& declared : options.declarations())
      CHECK_FALSE(declared.meaning.empty());
  }
}
