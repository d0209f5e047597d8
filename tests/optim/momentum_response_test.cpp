#include "optim/momentum_response.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace localbatch;

namespace {

constexpr LinearSteps kPlain{};
constexpr LinearSteps kHeavyBall{.momentum = 0.9};
constexpr LinearSteps kNesterov{.momentum = 0.9, .nesterov = true};

/// Displacement in the last round when the gradient of step `when`, counted over all rounds, is 1
/// and all others are 0.
double displacement(const LinearSteps& steps, const std::vector<std::vector<double>>& rates,
                    int when) {
  const auto sgd =
      make_sgd({.momentum = steps.momentum, .nesterov = steps.nesterov}).make({.size = 1});
  float x = 0, before = 0;
  for (const std::vector<double>& round : rates) {
    before = x;
    for (const double rate : round) {
      const float gradient = when-- == 0 ? 1.0F : 0.0F;
      sgd->step(std::span(&x, 1), std::span(&gradient, 1), rate);
    }
  }
  return double{x} - double{before};
}

}  // namespace

TEST_CASE("the noise of a round's displacement is that of the closed form") {
  // method.md 2.5: A(16, 0.9) = 545.22.
  const std::vector<double> rates(16, 0.1);
  const RoundResponse response = round_response(kHeavyBall, {}, rates, 8);
  CHECK(response.noise * 8 / 0.01 == doctest::Approx(545.22).epsilon(1e-5));
  const RoundResponse plain = round_response(kPlain, {}, rates, 8);
  CHECK(plain.noise == doctest::Approx(0.01 * 16 / 8));
  CHECK(plain.gain == doctest::Approx(1.6));
}

TEST_CASE("gain and noise are what the optimizer does, with what it carries from round to round") {
  const std::vector<std::vector<double>> rates{
      {0.1, 0.2, 0.15}, {0.3, 0.1, 0.05, 0.2}, {0.1, 0.12}};
  const std::vector<int> batches{4, 8, 16};
  for (const LinearSteps& steps : {kPlain, kHeavyBall, kNesterov}) {
    double gain = 0, noise = 0;
    int when = 0;
    for (std::size_t round = 0; round < rates.size(); ++round)
      for (std::size_t h = 0; h < rates[round].size(); ++h, ++when) {
        const double moved = displacement(steps, rates, when);
        gain -= moved;
        noise += moved * moved / batches[round];
      }
    MomentumCarry carry;
    for (std::size_t round = 0; round < 2; ++round)
      carry = after_round(steps, StatePolicy::kKeep, carry, static_cast<int>(rates[round].size()),
                          batches[round]);
    const RoundResponse response = round_response(steps, carry, rates[2], batches[2]);
    CHECK(response.gain == doctest::Approx(gain).epsilon(1e-5));
    CHECK(response.noise == doctest::Approx(noise).epsilon(1e-5));
  }
}

TEST_CASE("a velocity that is reset carries nothing, an averaged one no noise of its own") {
  const MomentumCarry kept = after_round(kHeavyBall, StatePolicy::kKeep, {}, 4, 8);
  const MomentumCarry averaged = after_round(kHeavyBall, StatePolicy::kAverage, {}, 4, 8);
  const MomentumCarry reset = after_round(kHeavyBall, StatePolicy::kReset, kept, 4, 8);
  CHECK(kept.gain == doctest::Approx(1 + 0.9 + 0.81 + 0.729));
  CHECK(kept.noise == doctest::Approx((1 + 0.81 + 0.6561 + 0.531441) / 8));
  CHECK(averaged.gain == kept.gain);
  CHECK(averaged.noise == 0);
  CHECK(reset.gain == 0);
  CHECK(reset.noise == 0);
  CHECK(after_round(kPlain, StatePolicy::kKeep, {}, 4, 8).gain == 0);
}
