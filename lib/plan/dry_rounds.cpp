#include "plan/dry_rounds.h"

#include <algorithm>

#include "experiment/experiment.h"
#include "train/local_sgd.h"
#include "train/meter.h"
#include "train/synchronizer.h"

namespace localbatch {

namespace {

/// Asks for nothing and looks at nothing.
struct Unwatched final : RunObserver {
  Request request() override { return {}; }
  void on_round(const RoundRecord&) override {}
};

/// Round 1 with one local step, the last that the budget allows.
std::vector<Meeting> meetings_of_round(const LocalSgd& method, TrainingWorker& worker,
                                       OuterOptimizer& outer_optimizer, DryCommunicator& comm) {
  const std::int64_t step = std::int64_t{method.num_workers} * method.initial_local_batch_size;
  Progress at{.samples = std::max<std::int64_t>(0, method.max_samples - step),
              .local_batch_size = method.initial_local_batch_size};
  Meter meter(method, comm);
  Synchronizer all_workers(method, worker, outer_optimizer, comm);
  Unwatched run;
  comm.take_meetings();
  local_sgd(method, worker, meter, all_workers, at, run);
  return comm.take_meetings();
}

}  // namespace

RunMeetings meetings_of(
    const Experiment& experiment,
    const std::function<std::unique_ptr<TrainingWorker>(Communicator&)>& make_worker) {
  DryCommunicator comm(experiment.workers);
  const std::unique_ptr<TrainingWorker> worker = make_worker(comm);
  const auto outer = experiment.make_outer_optimizer(worker->parameters().size());
  RunMeetings meetings;
  comm.take_meetings();
  worker->local_step(experiment.method.initial_local_batch_size, 0);
  meetings.local_step = comm.take_meetings();
  /// Without the first `count`.
  const auto behind = [](const std::vector<Meeting>& all, std::size_t count) {
    return std::vector<Meeting>(all.begin() + static_cast<std::ptrdiff_t>(count), all.end());
  };
  const auto round_of = [&](const LocalSgd& method) {
    return behind(meetings_of_round(method, *worker, *outer, comm), meetings.local_step.size());
  };

  LocalSgd method = experiment.method;
  method.audit.every_rounds = 0;
  method.limits.every_rounds = 2;  // the first round is nobody's
  meetings.round = round_of(method);
  method.limits.every_rounds = 1;
  method.observer_needs.variance = true;  // somebody looks at it
  meetings.measured_round = round_of(method);
  method.audit.every_rounds = 1;
  meetings.audit = behind(round_of(method), meetings.measured_round.size());

  worker->evaluate(comm);
  meetings.evaluation = comm.take_meetings();
  worker->final_model(comm);
  meetings.end = comm.take_meetings();
  return meetings;
}

}  // namespace localbatch
