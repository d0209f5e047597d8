#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plan/interconnect.h"
#include "plan/measured_run.h"
#include "plan/traffic.h"
#include "run/memory_forecast.h"

namespace localbatch {

/// Where a run would take place, and how fast that is.
struct Machine {
  Placement placement;
  int cores_of_host = 1;
  Interconnect interconnect = {};
  /// Samples per second of one worker with its threads, gradient, update and data; nothing: it is
  /// measured.
  std::optional<double> speed = {};
};

/// A run with one rule for H.
struct RunCost {
  RoundCount count;
  ExpectedTraffic traffic;
  double compute_seconds = 0, communication_seconds = 0, evaluation_seconds = 0;

  double seconds() const { return compute_seconds + communication_seconds + evaluation_seconds; }
};

/// The model of seconds, for the workers of one experiment on the ranks of a machine. Seconds
/// follow from samples per second of one worker, and from what connects hosts (Interconnect). An
/// evaluation computes a third of what training on as many samples does. Not counted are statistics
/// of single samples, audits' gradients, recomputed batch norm, checkpoints, waiting for slower
/// workers, and that streams of parameters travel while workers compute.
class CostModel {
 public:
  CostModel(const Experiment& experiment, const Task& task, const Placement& placement,
            int cores_of_host);

  int hosted_workers() const { return hosted_workers_; }  ///< of the rank that hosts most
  int slots() const { return slots_; }                    ///< of that rank
  int hosts() const { return hosts_; }
  int ranks() const { return ranks_; }
  std::size_t buffer_bytes() const { return buffer_bytes_; }  ///< for averages, of a rank
  const TrafficOfParts& traffic() const { return traffic_; }

  /// Samples per second of a worker that has a slot.
  struct Speed {
    double training = 0, evaluation = 0;  ///< the latter as if it trained
  };

  /// The seconds of so many rounds that send this.
  RunCost cost(const RoundCount& count, const ExpectedTraffic& traffic, const Speed& speed,
               const Interconnect& interconnect) const;

 private:
  int workers_, hosts_, ranks_, hosted_workers_, slots_;
  double evaluated_samples_;
  std::size_t buffer_bytes_;
  TrafficOfParts traffic_;
};

/// What a run will cost by the CostModel.
struct RunForecast {
  std::string experiment;
  int workers = 1, threads_per_worker = 1;
  int hosted_workers = 1, slots = 1;  ///< of the rank that hosts most workers
  Machine machine;                    ///< with the speed that was used
  bool speed_is_measured = false;
  std::size_t parameters = 0;
  int tokens_per_sample = 0;  ///< 0: samples are no texts
  /// Of one sample, see multiply_adds(); empty for a problem.
  std::optional<std::int64_t> forward_multiply_adds = {};
  MemoryForecast memory = {};
  std::size_t checkpoint_bytes = 0;                 ///< of one checkpoint file
  ExpectedTraffic round = {}, measured_round = {};  ///< without an audit, a trace and an evaluation
  std::int64_t largest_meeting = 0;                 ///< see TrafficOfParts
  RunCost cost = {};
  std::vector<RunCost> alternatives = {};  ///< with constant H = 1, 4, 16, 32
  std::vector<std::string> doubts = {};    ///< see doubtful_settings(); and of what was measured

  /// Of a worker; empty where samples are no texts.
  std::optional<double> tokens_per_second() const {
    return tokens_per_sample > 0 ? std::optional(*machine.speed * tokens_per_sample) : std::nullopt;
  }
};

struct MeasuredSpeed {
  double samples_per_second = 0;
  std::string doubt = {};  ///< empty: the machine was quiet, or nobody knows
};

/// The speed of a worker by all that it depends on, so that cells of a sweep that share it are
/// measured once.
using MeasuredSpeeds = std::map<std::string, MeasuredSpeed>;

/// Looks at the data set, for its sizes, and measures the speed of training for about a second if
/// it is neither given nor among `speeds`. Throws an InputError for what a run would refuse of its
/// settings and data, and for a problem without a speed.
RunForecast forecast_run(const Experiment& experiment, const Machine& machine,
                         MeasuredSpeeds& speeds);

inline RunForecast forecast_run(const Experiment& experiment, const Machine& machine) {
  MeasuredSpeeds none;
  return forecast_run(experiment, machine, none);
}

/// One JSON object; units are in the names. `measured` may be empty.
std::string to_json(const RunForecast& run, const std::optional<MeasuredRun>& measured);

}  // namespace localbatch
