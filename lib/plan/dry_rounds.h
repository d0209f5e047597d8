#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "train/dry_run.h"

namespace localbatch {

struct Experiment;

/// The meetings of the workers in everything that a run does, as its own code holds them.
struct RunMeetings {
  std::vector<Meeting> round;           ///< that looks at no gradients
  std::vector<Meeting> measured_round;  ///< that does
  std::vector<Meeting> audit;           ///< beside those of a measured round
  std::vector<Meeting> local_step;
  std::vector<Meeting> evaluation;
  std::vector<Meeting> end;
};

/// Goes once through each with a worker that `make_worker` gives, for dry runs if there is one.
RunMeetings meetings_of(
    const Experiment& experiment,
    const std::function<std::unique_ptr<TrainingWorker>(Communicator&)>& make_worker);

}  // namespace localbatch
