#pragma once

#include <cstdint>
#include <span>

namespace localbatch {

/// A trained model of a text, as those see it who let it continue one. Not thread-safe.
class TokenPredictor {
 public:
  virtual ~TokenPredictor() = default;
  TokenPredictor(const TokenPredictor&) = delete;
  TokenPredictor& operator=(const TokenPredictor&) = delete;

  /// Puts the logits of the token that follows these into `logits`, one for each token of the
  /// vocabulary. There are between one token and as many as the model's window has.
  virtual void predict(std::span<const std::int32_t> tokens, std::span<float> logits) = 0;

 protected:
  TokenPredictor() = default;
};

}  // namespace localbatch
