#include "nn/token_loss.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "nn/vector_functions.h"

namespace localbatch {

namespace {

/// Terms that are added in f32 before they go into the sum.
constexpr int kStretch = 1024;

/// Replaces logits by exp(logit - largest) and returns the sum of these.
double exponentials(float* logits, int vocabulary, float largest) {
  double sum = 0;
  for (int first = 0; first < vocabulary; first += kStretch) {
    const int last = std::min(vocabulary, first + kStretch);
    Vector partial{};
    int i = first;
    for (; i + kChannelBlock <= last; i += kChannelBlock) {
      const Vector value = exponential(load(logits + i) - broadcast(largest));
      store(logits + i, value);
      partial += value;
    }
    if (i < last) {
      std::array<float, kChannelBlock> rest{};
      std::copy(logits + i, logits + last, rest.begin());
      store(rest.data(), exponential(load(rest.data()) - broadcast(largest)));
      std::copy_n(rest.begin(), last - i, logits + i);
      std::fill(rest.begin() + (last - i), rest.end(), 0.0F);
      partial += load(rest.data());
    }
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

void scale(const float* from, int count, float factor, float* to) {
  for (int i = 0; i < count; ++i) to[i] = factor * from[i];
}

void scale(const float* from, int count, float factor, Bfloat16* to) {
  int i = 0;
  for (; i + kChannelBlock <= count; i += kChannelBlock)
    store(to + i, broadcast(factor) * load(from + i));
  if (i == count) return;
  std::array<float, kChannelBlock> rest{};
  std::array<Bfloat16, kChannelBlock> rounded{};
  std::copy(from + i, from + count, rest.begin());
  store(rounded.data(), broadcast(factor) * load(rest.data()));
  std::copy_n(rounded.begin(), count - i, to + i);
}

}  // namespace

TokenLoss token_loss(float* logits, int vocabulary, int target) {
  return predict(logits, vocabulary, target).loss;
}

template <class T>
TokenLoss token_loss_gradient(float* logits, int vocabulary, int target, float factor, T* diff) {
  const Prediction prediction = predict(logits, vocabulary, target);
  const auto per_exponential = static_cast<float>(double{factor} / prediction.sum);
  // p - 1 of the target is taken before it is rounded to T.
  logits[target] -= static_cast<float>(prediction.sum);
  scale(logits, vocabulary, per_exponential, diff);
  return prediction.loss;
}

template TokenLoss token_loss_gradient<float>(float*, int, int, float, float*);
template TokenLoss token_loss_gradient<Bfloat16>(float*, int, int, float, Bfloat16*);

}  // namespace localbatch
