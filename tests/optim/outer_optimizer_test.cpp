#include "optim/outer_optimizer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/make_node.h"
#include "core/random.h"

using namespace localbatch;

namespace {

OuterOptimizerFactory read_outer_optimizer(const std::vector<std::pair<std::string, Node>>& keys) {
  const Node file = map(keys);
  Options options(file);
  OuterOptimizerFactory factory = make_part(outer_optimizer_table(), options, "", "");
  options.finish();
  return factory;
}

/// Two rounds of one parameter.
float two_rounds(const OuterOptimizerFactory& factory) {
  const auto optimizer = factory(1);
  std::vector<float> x{8};
  optimizer->step(x, std::vector<float>{4}, {0.25});
  optimizer->step(x, std::vector<float>{3}, {0.125});
  return x[0];
}

constexpr double kAnyRate = 0.05;

}  // namespace

TEST_CASE("averaging makes the workers' mean the global parameters, bit by bit, without state") {
  const auto optimizer = make_averaging()(3);
  std::vector<float> global{1, 2, 3};
  const std::vector<float> mean{0.1F, -2e30F, std::numeric_limits<float>::denorm_min()};
  optimizer->step(global, mean, {kAnyRate});
  CHECK(global == mean);
  CHECK(optimizer->state().empty());
}

TEST_CASE("Nesterov and SlowMo with a rate of 1 and without momentum are averaging, bit by bit") {
  for (const OuterOptimizerFactory& factory :
       {make_nesterov({.learning_rate = {1}, .momentum = 0}),
        make_slowmo({.learning_rate = {1}, .momentum = 0})}) {
    const auto optimizer = factory(1000);
    RandomStream random(1, Purpose::kTest);
    std::vector<float> global(1000), mean(1000);
    for (float& value : global) value = random.normal();
    for (int round = 0; round < 3; ++round) {
      for (float& value : mean) value = random.normal();
      optimizer->step(global, mean, {kAnyRate * (round + 1)});
      CHECK(global == mean);
    }
  }
}

TEST_CASE("Nesterov's first two rounds follow the formula") {
  const auto optimizer = make_nesterov({.learning_rate = {0.5}, .momentum = 0.75})(1);
  std::vector<float> global{8};
  // Pseudo gradient and buffer 4: 8 - 0.5 (4 + 0.75 4) = 4.5.
  optimizer->step(global, std::vector<float>{4}, {kAnyRate});
  CHECK(global[0] == 4.5F);
  CHECK(optimizer->state()[0] == 4);
  // Pseudo gradient 0.5, buffer 0.75 4 + 0.5 = 3.5: 4.5 - 0.5 (0.5 + 0.75 3.5) = 2.9375.
  optimizer->step(global, std::vector<float>{4}, {kAnyRate});
  CHECK(global[0] == 2.9375F);
  CHECK(optimizer->state()[0] == 3.5F);
}

TEST_CASE("SlowMo's buffer is measured in learning rates") {
  const auto optimizer = make_slowmo({.learning_rate = {1}, .momentum = 0.5})(1);
  std::vector<float> global{8};
  // u = 4/0.25 = 16, moved by 0.25 16 = 4.
  optimizer->step(global, std::vector<float>{4}, {0.25});
  CHECK(global[0] == 4);
  // A learning rate of 0 moves no worker: nothing happens, the buffer stays.
  optimizer->step(global, std::vector<float>{4}, {0});
  CHECK(global[0] == 4);
  // u = 0.5 16 + 1/0.125 = 16, moved by 0.125 16 = 2.
  optimizer->step(global, std::vector<float>{3}, {0.125});
  CHECK(global[0] == 2);
  // Where it falls to 0 within a round, what the steps before it did is not lost.
  optimizer->step(global, std::vector<float>{1}, {0});
  CHECK(global[0] == 1);
}

TEST_CASE("outer Adam follows its formula in double over many rounds") {
  const double lr = 0.02, beta1 = 0.8, beta2 = 0.95, tau = 0.01;
  constexpr std::size_t kParameters = 50;
  const auto optimizer = make_outer_adam(
      {.learning_rate = {lr}, .beta1 = beta1, .beta2 = beta2, .tau = tau})(kParameters);
  RandomStream random(2, Purpose::kTest);
  std::vector<float> global(kParameters), mean(kParameters);
  for (float& value : global) value = random.normal();
  std::vector<double> x(global.begin(), global.end()), m(kParameters), v(kParameters);
  for (int round = 0; round < 30; ++round) {
    for (std::size_t i = 0; i < kParameters; ++i) mean[i] = global[i] + 0.1F * random.normal();
    for (std::size_t i = 0; i < kParameters; ++i) {
      const double d = x[i] - mean[i];
      m[i] = beta1 * m[i] + (1 - beta1) * d;
      v[i] = beta2 * v[i] + (1 - beta2) * d * d;
      x[i] -= lr * m[i] / (std::sqrt(v[i]) + tau);
    }
    optimizer->step(global, mean, {kAnyRate});
    for (std::size_t i = 0; i < kParameters; ++i)
      CHECK(global[i] == doctest::Approx(x[i]).epsilon(1e-4));
  }
}

TEST_CASE("the outer rate falls along half a cosine") {
  const OuterRate rate{.initial = 0.8, .decay_to = 0.25};
  CHECK(rate.at(0) == 0.8);
  CHECK(rate.at(0.5) == doctest::Approx(0.8 * 0.625));
  CHECK(rate.at(1) == doctest::Approx(0.2));
  CHECK(rate.at(1.0 / 3) == doctest::Approx(0.2 + 0.6 * 0.75));
  for (const double elapsed : {0.1, 0.7}) CHECK(OuterRate{.initial = 0.7}.at(elapsed) == 0.7);
}

TEST_CASE("an outer rate that falls is the rate that it has reached") {
  const auto moved = [](const OuterOptimizerFactory& factory, double elapsed) {
    const auto optimizer = factory(1);
    std::vector<float> x{8};
    optimizer->step(x, std::vector<float>{4}, {.inner_rate = 0.25, .elapsed = elapsed});
    return x[0];
  };
  const OuterRate falls{.initial = 0.5, .decay_to = 0.2}, reached{.initial = falls.at(0.75)};
  CHECK(moved(make_nesterov({.learning_rate = falls}), 0.75) ==
        moved(make_nesterov({.learning_rate = reached}), 0));
  CHECK(moved(make_slowmo({.learning_rate = falls}), 0.75) ==
        moved(make_slowmo({.learning_rate = reached}), 0));
  CHECK(moved(make_outer_adam({.learning_rate = falls}), 0.75) ==
        moved(make_outer_adam({.learning_rate = reached}), 0));
  for (const std::string name : {"nesterov", "slowmo", "adam"}) {
    const auto file = [&](const std::string& decay_to) {
      return read_outer_optimizer({{"name", scalar(name)}, {"decay_to", scalar(decay_to)}});
    };
    CHECK(moved(file("0.5"), 1) != moved(file("1"), 1));
    CHECK(moved(file("0.5"), 0) == moved(file("1"), 1));
  }
}

TEST_CASE("each key of outer Adam sets its own number") {
  const auto with = [](const char* key, const char* value) {
    return two_rounds(read_outer_optimizer({{"name", scalar("adam")}, {key, scalar(value)}}));
  };
  CHECK(with("learning_rate", "0.5") == two_rounds(make_outer_adam({.learning_rate = {0.5}})));
  CHECK(with("beta1", "0.5") == two_rounds(make_outer_adam({.beta1 = 0.5})));
  CHECK(with("beta2", "0.5") == two_rounds(make_outer_adam({.beta2 = 0.5})));
  CHECK(with("tau", "0.5") == two_rounds(make_outer_adam({.tau = 0.5})));
  CHECK(with("beta1", "0.5") != with("beta2", "0.5"));
}

TEST_CASE("on a quadratic, momentum between rounds gets there in fewer rounds") {
  // Workers without noise move by 10 % of the distance to 0.
  const auto rounds_to_get_near = [](double momentum) {
    const auto optimizer = make_nesterov({.learning_rate = {1}, .momentum = momentum})(1);
    std::vector<float> x{1};
    int rounds = 0;
    for (; x[0] > 1e-2F; ++rounds) optimizer->step(x, std::vector<float>{0.9F * x[0]}, {kAnyRate});
    return rounds;
  };
  CHECK(rounds_to_get_near(0) == 44);  // 0.9^44 < 0.01
  CHECK(rounds_to_get_near(0.5) < 25);
}

TEST_CASE("each key of an outer optimizer sets its own number") {
  for (const char* const name : {"nesterov", "slowmo"}) {
    CAPTURE(name);
    const bool nesterov = std::string_view(name) == "nesterov";
    const auto made = [&](double learning_rate, double momentum) {
      return nesterov ? make_nesterov({.learning_rate = {learning_rate}, .momentum = momentum})
                      : make_slowmo({.learning_rate = {learning_rate}, .momentum = momentum});
    };
    CHECK(two_rounds(read_outer_optimizer({{"name", scalar(name)},
                                           {"learning_rate", scalar("0.5")},
                                           {"momentum", scalar("0.25")}})) ==
          two_rounds(made(0.5, 0.25)));
    CHECK(two_rounds(read_outer_optimizer({{"name", scalar(name)}})) ==
          two_rounds(nesterov ? made(0.7, 0.9) : made(1, 0.5)));
  }
  CHECK(two_rounds(read_outer_optimizer({{"name", scalar("averaging")}})) == 3);
}

TEST_CASE("all outer optimizers can be described, and keep what the next step depends on") {
  for (const PartRow<OuterOptimizerFactory>& row : outer_optimizer_table()) {
    CAPTURE(row.name);
    Options options = Options::describing();
    const OuterOptimizerFactory maker = row.make(options);
    for (const Declaration& declared : options.declarations())
      CHECK_FALSE(declared.meaning.empty());
    const auto first = maker(2), second = maker(2);
    std::vector<float> x{1, 2};
    first->step(x, std::vector<float>{0.5F, 2.5F}, {kAnyRate});
    std::ranges::copy(first->state(), second->state().begin());
    std::vector<float> y = x;
    first->step(x, std::vector<float>{0.25F, 3}, {2 * kAnyRate});
    second->step(y, std::vector<float>{0.25F, 3}, {2 * kAnyRate});
    CHECK(x == y);
  }
}
