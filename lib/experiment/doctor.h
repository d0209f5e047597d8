#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "experiment/diagnosis.h"
#include "experiment/run_experiment.h"

namespace localbatch {

/// The plan of an experiment file; nothing is loaded. Without a file, of one worker on each rank
/// and of results in the folder that `request` names. Throws an InputError.
Plan read_plan(const RunRequest& request);

/// The plan of a run that is about to start.
Plan plan_of(const RunRequest& request, const RunStart& start);

/// Everything that diagnose() looks at, and the folder of the results. For rank 0, which writes
/// them.
Diagnoses examine(std::span<const RankFacts> ranks, const Plan& plan);

/// Says warnings, one line each. Throws an InputError for the first refusal, and then says nothing
/// else.
void check_before_run(std::span<const RankFacts> ranks, const Plan& plan,
                      const std::function<void(const std::string&)>& on_warning);

}  // namespace localbatch
