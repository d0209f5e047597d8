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

/// The gradient of weight * (mean loss) by the logits: weight/n (softmax - one_hot).
void softmax_loss_gradient(std::span<const float> logits, std::span<const std::int32_t> targets,
                           int num_classes, double weight, std::span<float> diff_logits);

}  // namespace localbatch
