#pragma once

#include <functional>
#include <span>

#include "core/part_table.h"

namespace localbatch {

/// What the learning rate is multiplied by when the local batch size is `growth` times the initial
/// one.
using LearningRateCoupling = std::function<double(double growth)>;

/// none, linear, sqrt.
std::span<const PartRow<LearningRateCoupling>> learning_rate_coupling_table();

}  // namespace localbatch
