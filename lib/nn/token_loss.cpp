#include "nn/token_loss.h"

#include <algorithm>
#include <cmath>

#include "nn/row_vectors.h"
#include "nn/vector_functions.h"

namespace localbatch {

namespace {

/// Replaces logits by exp(logit - largest) and returns the sum of these: f32 over stretches, double
/// from there.
double exponentials(float* logits, int vocabulary, float largest) {
  constexpr int kStretch = 1024;
  double sum = 0;
  for (int first = 0; first < vocabulary; first += kStretch) {
    float* const stretch = logits + first;
    Vector partial{};
    for_each_vector(std::min(kStretch, vocabulary - first), [&](std::ptrdiff_t i, auto lanes) {
      const Vector value = exponential(lanes.load(stretch + i) - broadcast(largest));
      lanes.store(stretch + i, value);
      partial += lanes.keep(value, Vector{});
    });
    sum += double{sum_of_lanes(partial)};
  }
  return sum;
}

struct Prediction {
  TokenLoss loss;
  double sum = 0;  ///< of the exponentials, which are in place of the logits
};

Prediction predict(float* logits, int vocabulary, int target) {
  const float* const largest = std::max_element(logits, logits + vocabulary);
  const double margin = double{*largest} - double{logits[target]};
  const bool correct = largest - logits == target;
  const double sum = exponentials(logits, vocabulary, *largest);
  return {.loss = {.loss = margin + std::log(sum), .correct = correct}, .sum = sum};
}

}  // namespace

TokenLoss token_loss(float* logits, int vocabulary, int target) {
  return predict(logits, vocabulary, target).loss;
}

template <class T>
TokenLoss token_loss_gradient(float* logits, int vocabulary, int target,
                              const TokenLossWeight& of_loss, T* diff) {
  const Prediction prediction = predict(logits, vocabulary, target);
  const auto per_exponential = static_cast<float>(double{of_loss.factor} / prediction.sum);
  const float of_all = of_loss.factor * of_loss.label_smoothing / static_cast<float>(vocabulary);
  // p - 1 of the target is taken before it is rounded to T.
  logits[target] -= static_cast<float>((1 - double{of_loss.label_smoothing}) * prediction.sum);
  for_each_vector(vocabulary, [&](std::ptrdiff_t i, auto lanes) {
    lanes.store(diff + i, broadcast(per_exponential) * lanes.load(logits + i) - broadcast(of_all));
  });
  return prediction.loss;
}

template TokenLoss token_loss_gradient<float>(float*, int, int, const TokenLossWeight&, float*);
template TokenLoss token_loss_gradient<Bfloat16>(float*, int, int, const TokenLossWeight&,
                                                 Bfloat16*);

}  // namespace localbatch
