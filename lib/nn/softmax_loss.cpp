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

std::span<const float> of_sample(std::span<const float> logits, std::size_t sample,
                                 int num_classes) {
  const auto classes = static_cast<std::size_t>(num_classes);
  return logits.subspan(sample * classes, classes);
}

}  // namespace

Evaluation softmax_loss(std::span<const float> logits, std::span<const std::int32_t> targets,
                        int num_classes) {
  Evaluation evaluation;
  for (std::size_t sample = 0; sample < targets.size(); ++sample) {
    const std::span<const float> mine = of_sample(logits, sample, num_classes);
    const auto target = static_cast<std::size_t>(targets[sample]);
    evaluation.loss_sum += log_sum_exp(mine) - double{mine[target]};
    const auto predicted = std::ranges::max_element(mine) - mine.begin();
    evaluation.correct += predicted == targets[sample] ? 1 : 0;
    evaluation.count += 1;
  }
  return evaluation;
}

void softmax_loss_gradient(std::span<const float> logits, std::span<const std::int32_t> targets,
                           int num_classes, const LossWeight& of_loss,
                           std::span<float> diff_logits) {
  const double per_sample = of_loss.weight / static_cast<double>(targets.size());
  const double of_target = 1 - of_loss.label_smoothing;
  const double of_all = of_loss.label_smoothing / num_classes;
  for (std::size_t sample = 0; sample < targets.size(); ++sample) {
    const std::span<const float> mine = of_sample(logits, sample, num_classes);
    const auto target = static_cast<std::size_t>(targets[sample]);
    const double normalizer = log_sum_exp(mine);
    for (std::size_t c = 0; c < mine.size(); ++c) {
      const double probability = std::exp(double{mine[c]} - normalizer);
      const double wanted = (c == target ? of_target : 0) + of_all;
      diff_logits[sample * mine.size() + c] =
          static_cast<float>(per_sample * (probability - wanted));
    }
  }
}

}  // namespace localbatch
