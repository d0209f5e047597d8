#include "nn/continue_tokens.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "nn/token_predictor.h"

namespace localbatch {

namespace {

RandomStream stream(std::uint64_t index) { return {3, Purpose::kTest, index}; }

/// Finds the token after the last one the most likely, and remembers what it was asked.
class NextNumber final : public TokenPredictor {
 public:
  void predict(std::span<const std::int32_t> tokens, std::span<float> logits) override {
    asked.emplace_back(tokens.begin(), tokens.end());
    for (float& logit : logits) logit = 0;
    logits[static_cast<std::size_t>(tokens.back() + 1) % logits.size()] = 1;
  }

  std::vector<std::vector<std::int32_t>> asked;
};

constexpr SampleShape kWindowOfThree{.input = TokenWindow{3}, .num_classes = 5};

std::vector<std::int32_t> continued(const Continuation& continuation,
                                    std::vector<std::int32_t> tokens = {1}) {
  NextNumber predictor;
  return continue_tokens(predictor, kWindowOfThree, std::move(tokens), continuation);
}

}  // namespace

TEST_CASE("tokens are drawn as often as the softmax of their logits says") {
  const std::vector<float> logits{std::log(1.0F), std::log(5.0F), std::log(2.0F)};
  constexpr int kDraws = 20000;
  for (const double temperature : {0.5, 1.0, 2.0}) {
    CAPTURE(temperature);
    std::vector<double> weights, counts(3);
    double sum = 0;
    for (const double weight : {1.0, 5.0, 2.0}) {
      weights.push_back(std::pow(weight, 1 / temperature));
      sum += weights.back();
    }
    for (int i = 0; i < kDraws; ++i)
      counts[static_cast<std::size_t>(draw_token(logits, temperature, stream(i)))] += 1;
    for (std::size_t token = 0; token < 3; ++token) {
      const double p = weights[token] / sum;
      CHECK(std::abs(counts[token] / kDraws - p) < 4 * std::sqrt(p * (1 - p) / kDraws));
    }
  }
}

TEST_CASE("at temperature 0 and next to it the largest logit wins, of equal ones the first") {
  const std::vector<float> equal{1, 7, -3, 7}, one{1, 7, 7.5F, 7};
  for (std::uint64_t i = 0; i < 100; ++i) {
    CHECK(draw_token(equal, 0, stream(i)) == 1);
    CHECK(draw_token(one, 0, stream(i)) == 2);
    CHECK(draw_token(one, 1e-300, stream(i)) == 2);
  }
}

TEST_CASE("logits of any size are drawn from, but for those that are not finite") {
  const std::vector<float> far{-3e38F, 3e38F, 3e38F};
  bool drawn[3] = {};
  for (std::uint64_t i = 0; i < 100; ++i) drawn[draw_token(far, 1, stream(i))] = true;
  CHECK_FALSE(drawn[0]);
  CHECK(drawn[1]);
  CHECK(drawn[2]);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> logits{0, bad};
    CHECK_THROWS_AS(static_cast<void>(draw_token(logits, 0, stream(0))), InputError);
    CHECK_THROWS_AS(static_cast<void>(draw_token(logits, 1, stream(0))), InputError);
  }
}

TEST_CASE("every token is predicted from as many of the last ones as a window has") {
  NextNumber predictor;
  const auto tokens =
      continue_tokens(predictor, kWindowOfThree, {4, 1}, {.tokens = 4, .temperature = 0});
  CHECK(tokens == std::vector<std::int32_t>{4, 1, 2, 3, 4, 0});
  CHECK(predictor.asked ==
        std::vector<std::vector<std::int32_t>>{{4, 1}, {4, 1, 2}, {1, 2, 3}, {2, 3, 4}});
  CHECK(continued({.tokens = 1, .temperature = 0}, {0, 0, 0, 0, 2}) ==
        std::vector<std::int32_t>{0, 0, 0, 0, 2, 3});
}

TEST_CASE("the seed decides what is drawn, and a longer continuation begins with the shorter one") {
  const auto text = continued({.tokens = 50, .temperature = 1, .seed = 1});
  CHECK(continued({.tokens = 50, .temperature = 1, .seed = 1}) == text);
  CHECK(continued({.tokens = 50, .temperature = 1, .seed = 2}) != text);
  const auto shorter = continued({.tokens = 20, .temperature = 1, .seed = 1});
  CHECK(std::equal(shorter.begin(), shorter.end(), text.begin()));
}

}  // namespace localbatch
