#include "nn/continue_tokens.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "nn/token_predictor.h"

namespace localbatch {

std::int32_t draw_token(std::span<const float> logits, double temperature, RandomStream random) {
  if (!std::ranges::all_of(logits, [](float logit) { return std::isfinite(logit); }))
    fail_input(
        "the model's logits: found some that are not finite, expected those of a trained model");
  const auto largest = std::ranges::max_element(logits);
  if (temperature == 0) return static_cast<std::int32_t>(largest - logits.begin());
  std::vector<double> sums;
  sums.reserve(logits.size());
  double sum = 0;
  for (const float logit : logits)
    sums.push_back(sum += std::exp((double{logit} - double{*largest}) / temperature));
  const double drawn = sum * double{random.uniform()};
  return static_cast<std::int32_t>(std::ranges::upper_bound(sums, drawn) - sums.begin());
}

std::vector<std::int32_t> continue_tokens(TokenPredictor& predictor, const SampleShape& shape,
                                          std::vector<std::int32_t> tokens,
                                          const Continuation& continuation) {
  check(!tokens.empty(), "something is there to be continued");
  std::vector<float> logits(static_cast<std::size_t>(shape.num_classes));
  for (int k = 0; k < continuation.tokens; ++k) {
    const std::size_t seen = std::min(tokens.size(), shape.targets());
    predictor.predict(std::span(tokens).last(seen), logits);
    const RandomStream random(continuation.seed, Purpose::kGeneratedText,
                              static_cast<std::uint64_t>(k));
    tokens.push_back(draw_token(logits, continuation.temperature, random));
  }
  return tokens;
}

}  // namespace localbatch
