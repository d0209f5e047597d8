#include "nn/softmax_loss.h"

#include <algorithm>
#include <cmath>

namespace localbatch {

namespace {

/// log(sum exp(logits)), shifted by the largest so that nothing overflows.
double log_sum_exp(std::span<const float> logits) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - largest);
  return largest + std::log(sum);
}

std::span<const float> of_image(std::span<const float> logits, std::size_t image, int num_classes) {
  const auto classes = static_cast<std::size_t>(num_classes);
  return logits.subspan(image * classes, classes);
}

}  // namespace

Evaluation softmax_loss(std::span<const float> logits, std::span<const Label> labels,
                        int num_classes) {
  Evaluation evaluation;
  for (std::size_t image = 0; image < labels.size(); ++image) {
    const std::span<const float> mine = of_image(logits, image, num_classes);
    evaluation.loss_sum += log_sum_exp(mine) - double{mine[labels[image]]};
    const auto predicted = std::ranges::max_element(mine) - mine.begin();
    evaluation.correct += predicted == labels[image] ? 1 : 0;
    evaluation.images += 1;
  }
  return evaluation;
}

void softmax_loss_gradient(std::span<const float> logits, std::span<const Label> labels,
                           int num_classes, double weight, std::span<float> diff_logits) {
  const double per_image = weight / static_cast<double>(labels.size());
  for (std::size_t image = 0; image < labels.size(); ++image) {
    const std::span<const float> mine = of_image(logits, image, num_classes);
    const double normalizer = log_sum_exp(mine);
    for (std::size_t c = 0; c < mine.size(); ++c) {
      const double probability = std::exp(double{mine[c]} - normalizer);
      const double target = c == labels[image] ? 1 : 0;
      diff_logits[image * mine.size() + c] = static_cast<float>(per_image * (probability - target));
    }
  }
}

}  // namespace localbatch
