#pragma once

#include <cstdint>
#include <span>

#include "core/shape.h"

namespace localbatch {

/// What a set of images adds to the evaluation of a model. Sums over sets are exact for the counts.
struct Evaluation {
  double loss_sum = 0;  ///< cross entropy in nats, summed over images
  std::int64_t correct = 0;
  std::int64_t images = 0;
};

/// Cross entropy of the softmax of `logits` ([image][class]) against the labels. An image counts as
/// correct when its label's logit is larger than all others before it and not smaller than those
/// after it.
Evaluation softmax_loss(std::span<const float> logits, std::span<const Label> labels,
                        int num_classes);

/// The gradient of weight * (mean loss) by the logits: weight/n (softmax - one_hot).
void softmax_loss_gradient(std::span<const float> logits, std::span<const Label> labels,
                           int num_classes, double weight, std::span<float> diff_logits);

}  // namespace localbatch
