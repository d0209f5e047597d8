#pragma once

#include <cstdint>
#include <span>

#include "core/batch.h"

namespace localbatch {

/// Cross entropy of the softmax of `logits` ([sample][class]) against the targets. A sample counts
/// as correct when its target's logit is larger than all others before it and not smaller than
/// those after it.
Evaluation softmax_loss(std::span<const float> logits, std::span<const std::int32_t> targets,
                        int num_classes);

/// How the loss is differentiated.
struct LossWeight {
  double weight = 1;  ///< of the mean loss
  /// Share of a target's probability that all classes have alike (Szegedy et al. 2016).
  double label_smoothing = 0;
};

/// The gradient of weight * (mean loss) by the logits: weight/n (softmax - (1 - label_smoothing)
/// one_hot - label_smoothing/num_classes).
void softmax_loss_gradient(std::span<const float> logits, std::span<const std::int32_t> targets,
                           int num_classes, const LossWeight& of_loss,
                           std::span<float> diff_logits);

}  // namespace localbatch
