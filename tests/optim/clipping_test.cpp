#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/make_node.h"
#include "core/random.h"
#include "core/vector_math.h"
#include "optim/inner_optimizer.h"

using namespace localbatch;

namespace {

std::vector<float> random_floats(std::size_t size, std::uint64_t owner) {
  RandomStream stream(21, Purpose::kTest, owner);
  std::vector<float> values(size);
  for (float& value : values) value = stream.normal();
  return values;
}

/// Three steps along random gradients, each times a factor by the optimizer or before it.
std::vector<float> three_steps(const InnerOptimizerFactory& factory, std::size_t size,
                               double factor_inside, float factor_before) {
  std::vector<float> x = random_floats(size, 1);
  const auto optimizer =
      factory.make({.size = size, .hidden_matrices = {{.rows = 1, .columns = size - size / 3}}});
  for (std::uint64_t t = 2; t < 5; ++t) {
    std::vector<float> gradient = random_floats(size, t);
    for (float& g : gradient) g *= factor_before;
    optimizer->step(x, gradient, {.learning_rate = 0.1, .gradient_factor = factor_inside},
                    for_on_this_thread);
  }
  return x;
}

const std::vector<InnerOptimizerFactory>& all_optimizers() {
  static const std::vector<InnerOptimizerFactory> all{
      make_sgd({.weight_decay = 0.01}), make_sgd({.momentum = 0.9, .weight_decay = 0.01}),
      make_sgd({.momentum = 0.9, .nesterov = true}), make_adamw({.weight_decay = 0.1}),
      make_muon(MuonSettings{})};
  return all;
}

}  // namespace

TEST_CASE("a gradient is shortened to clip_norm, never made longer, and 0 clips nothing") {
  CHECK(clip_factor(4, 1) == 1 / (4 + 1e-6));
  CHECK(clip_factor(0.5, 1) == 1);
  CHECK(clip_factor(0, 1) == 1);
  CHECK(clip_factor(1e30, 0) == 1);
  // As in PyTorch, a norm that is clip_norm to the last digits is shortened by a part in a million.
  CHECK(clip_factor(1, 1) < 1);
  CHECK(clip_factor(std::numeric_limits<double>::infinity(), 1) == 0);
}

TEST_CASE("a step along a shortened gradient is the step along that gradient, to the bit") {
  // More numbers than are scaled at a time, and no multiple of them.
  for (const InnerOptimizerFactory& factory : all_optimizers())
    for (const std::size_t size : {1U, 1023U, 1024U, 2500U})
      CHECK(three_steps(factory, size, 0.37, 1) ==
            three_steps(factory, size, 1, static_cast<float>(0.37)));
}

TEST_CASE("AdamW's second moment is that of the shortened gradient") {
  const auto optimizer = make_adamw({.beta2 = 0.75}).make({.size = 1});
  std::vector<float> x{1};
  optimizer->step(x, std::vector<float>{8}, {.learning_rate = 0.1, .gradient_factor = 0.25},
                  for_on_this_thread);
  CHECK(optimizer->state()[1] == 0.25F * 4);
}

TEST_CASE("decay of matrices leaves vectors untouched where the gradient is zero") {
  const ParameterLayout layout{.size = 12, .vectors = {{0, 2}, {5, 1}, {6, 2}, {11, 1}}};
  const std::vector<bool> is_vector{true, true, false, false, false, true,
                                    true, true, false, false, false, true};
  const std::vector<float> zero(12);
  for (const Decay decay : {Decay::kAll, Decay::kMatrices}) {
    const auto optimizer = make_adamw({.weight_decay = 0.5, .decay = decay}).make(layout);
    std::vector<float> x(12, 8);
    optimizer->step(x, zero, 0.25);
    for (std::size_t i = 0; i < x.size(); ++i) {
      CAPTURE(i);
      CHECK(x[i] == (decay == Decay::kMatrices && is_vector[i] ? 8 : 7));
    }
  }
}

TEST_CASE("what decays does not depend on how the parameters are cut, nor on clipping") {
  constexpr std::size_t kCount = 60;
  const ParameterLayout layout{.size = kCount, .vectors = {{0, 3}, {17, 9}, {40, 20}}};
  const InnerOptimizerFactory factory =
      make_adamw({.weight_decay = 0.5, .decay = Decay::kMatrices});
  const std::vector<float> gradient = random_floats(kCount, 7);
  std::vector<float> expected = random_floats(kCount, 8);
  const std::vector<float> start = expected;
  factory.make(layout)->step(expected, gradient, 0.1);
  for (const std::size_t piece : {1U, 4U, 17U, 59U}) {
    std::vector<float> x = start;
    factory.make(layout)->step(x, gradient, {.learning_rate = 0.1},
                               [piece](std::size_t count, const RangeWork& work) {
                                 for (std::size_t first = 0; first < count; first += piece)
                                   work(first, std::min(count, first + piece));
                               });
    CHECK(x == expected);
  }
  // Where only matrices decay, the others take the step of an optimizer without decay.
  std::vector<float> plain = start;
  make_adamw({.weight_decay = 0}).make(layout)->step(plain, gradient, 0.1);
  for (const ParameterLayout::Stretch& vector : layout.vectors)
    for (std::size_t i = vector.first; i < vector.first + vector.size; ++i)
      CHECK(plain[i] == expected[i]);
  CHECK(plain[3] != expected[3]);
  CHECK(plain[39] != expected[39]);
}

TEST_CASE("keys of clipping and decay set their own numbers") {
  const auto read = [](const std::vector<std::pair<std::string, Node>>& keys) {
    const Node file = map(keys);
    Options options(file);
    InnerOptimizerFactory factory = make_part(inner_optimizer_table(), options, "", "");
    options.finish();
    return factory;
  };
  for (const char* const name : {"sgd", "adamw", "muon"}) {
    CHECK(read({{"name", scalar(name)}}).clip_norm == 0);
    CHECK(read({{"name", scalar(name)}, {"clip_norm", scalar("1.5")}}).clip_norm == 1.5);
  }
  // A shortened gradient moves parameters by something that is not linear in it.
  CHECK(read({{"name", scalar("sgd")}}).linear.has_value());
  CHECK_FALSE(read({{"name", scalar("sgd")}, {"clip_norm", scalar("1")}}).linear.has_value());

  const auto after_zero = [&](const char* decay) {
    const auto optimizer = read({{"name", scalar("adamw")}, {"decay", scalar(decay)}})
                               .make({.size = 1, .vectors = {{0, 1}}});
    std::vector<float> x{1};
    optimizer->step(x, std::vector<float>{0}, 1);
    return x[0];
  };
  CHECK(after_zero("matrices") == 1);
  CHECK(after_zero("all") < 1);
  CHECK_THROWS_WITH_AS(read({{"name", scalar("adamw")}, {"decay", scalar("matrixes", 4, 7)}}),
                       "test.yaml:4:7: decay: found 'matrixes', allowed is all | matrices (did you "
                       "mean 'matrices'?)",
                       InputError);
  CHECK_THROWS_WITH_AS(read({{"name", scalar("sgd")}, {"clip_norm", scalar("-1", 4, 7)}}),
                       "test.yaml:4:7: clip_norm: found -1, allowed is 0 .. 1000000000",
                       InputError);
}
