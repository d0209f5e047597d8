#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "core/part_table.h"

namespace localbatch {

/// The learning rate as a pure function of the samples that all workers together have processed, so
/// that neither batch sizes nor a resumed run can change it. `max_samples` is the budget of the
/// run.
using LearningRate = std::function<double(std::int64_t samples, std::int64_t max_samples)>;

/// constant, cosine, linear, multistep; each with a linear warm-up from 0 to the peak.
std::span<const PartRow<LearningRate>> learning_rate_table();

}  // namespace localbatch
