#pragma once

#include <string>
#include <vector>

#include "nn/execution_plan.h"

namespace localbatch {

/// Goes through a training step under a plan, without numbers: which values have been computed, and
/// whose contributions lie in which array for diffs. Says what is read too early or too late, once
/// for each; empty if the plan is sound.
std::vector<std::string> find_mistakes(const ImageModel& model, const ExecutionPlan& plan);

}  // namespace localbatch
