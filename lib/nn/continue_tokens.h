#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/batch.h"
#include "core/random.h"

namespace localbatch {

class TokenPredictor;

/// How a model continues a text.
struct Continuation {
  int tokens = 200;  ///< so many
  /// Each is drawn from softmax(logits/temperature); 0: each is the most likely one.
  double temperature = 0.8;
  std::uint64_t seed = 1;
};

/// A token from softmax(logits/temperature); for temperature 0 the first of those with the largest
/// logit. Throws an InputError for logits that are not finite.
std::int32_t draw_token(std::span<const float> logits, double temperature, RandomStream random);

/// The tokens, at least one, and those that the model puts behind them, each of which it predicts
/// from as many as a window of `shape` has. The k-th new one is drawn by (seed, k): a longer
/// continuation begins with the shorter one.
std::vector<std::int32_t> continue_tokens(TokenPredictor& predictor, const SampleShape& shape,
                                          std::vector<std::int32_t> tokens,
                                          const Continuation& continuation);

}  // namespace localbatch
