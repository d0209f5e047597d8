#pragma once

namespace localbatch {

/// The cross entropy of one prediction.
struct TokenLoss {
  double loss = 0;       ///< nats
  bool correct = false;  ///< the target has the first of the largest logits
};

/// Of the softmax of `vocabulary` logits against a target: log(sum exp(logits)) - logits[target].
/// Exponentials are f32, their sum is double. Overwrites the logits.
TokenLoss token_loss(float* logits, int vocabulary, int target);

/// How the loss of a token is differentiated.
struct TokenLossWeight {
  float factor = 1;
  float label_smoothing = 0;  ///< see LossWeight
};

/// The same, and diff = factor * (softmax - (1 - label_smoothing) one_hot -
/// label_smoothing/vocabulary), which may be the array of the logits. T is float or Bfloat16.
template <class T>
TokenLoss token_loss_gradient(float* logits, int vocabulary, int target,
                              const TokenLossWeight& of_loss, T* diff);

}  // namespace localbatch
