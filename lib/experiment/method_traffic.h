#pragma once

#include <cstddef>
#include <vector>

#include "comm/traffic_forecast.h"
#include "experiment/experiment.h"
#include "experiment/round_count.h"

namespace localbatch {

/// Lengths of a worker's arrays.
struct WorkerArrays {
  std::size_t parameters = 0;
  std::size_t optimizer_state = 0, outer_state = 0;
  std::size_t batch_norm = 0;  ///< running statistics
};

/// The meetings of the workers that an experiment's parts ask for.
struct MethodMeetings {
  std::vector<Meeting> round;           ///< that looks at no gradients
  std::vector<Meeting> measured_round;  ///< that does
  std::vector<Meeting> audit;           ///< beside those of the round
  std::vector<Meeting> local_step;
  std::vector<Meeting> evaluation;
  std::vector<Meeting> end;
};

MethodMeetings meetings_of(const Experiment& experiment, const WorkerArrays& arrays);

/// One after the other.
ExpectedTraffic traffic_of(const std::vector<Meeting>& meetings, const TrafficForecast& forecast);

/// Of a whole run that is not interrupted and writes no checkpoints: what summary.json calls
/// communication.
ExpectedTraffic traffic_of_run(const MethodMeetings& meetings, const RoundCount& count,
                               const TrafficForecast& forecast);

}  // namespace localbatch
