#pragma once

#include <vector>

#include "comm/workers.h"
#include "core/options.h"
#include "optim/outer_optimizer.h"
#include "train/local_sgd.h"
#include "train/meter.h"
#include "train/quadratic_worker.h"
#include "train/synchronizer.h"

namespace localbatch {

template <class Part>
Part default_part(std::span<const PartRow<Part>> table, std::string_view name) {
  Options options = Options::describing();
  for (const PartRow<Part>& row : table)
    if (row.name == name) return row.make(options);
  internal_error("no part of this name");
}

inline LocalSgd make_method(std::int64_t max_samples, int sync_interval, double learning_rate) {
  return {.max_samples = max_samples,
          .learning_rate = {[=](std::int64_t, std::int64_t) { return learning_rate; }},
          .learning_rate_coupling = {},
          .sync_interval = {[=](const SyncContext&) { return sync_interval; }},
          .controller = default_part(batch_size_controller_table(), "fixed"),
          .limits = {},
          .inner_steps = LinearSteps{}};
}

/// Keeps what it sees, and asks for what `requests` says.
struct RecordingObserver final : RunObserver {
  Request request() override { return requests(); }
  void on_round(const RoundRecord& round) override { rounds.push_back(round); }

  std::function<Request()> requests = [] { return Request(); };
  std::vector<RoundRecord> rounds;
};

/// A worker with everything that its loop needs.
struct LoopOfWorker {
  LoopOfWorker(const LocalSgd& with, Worker& of, const OuterOptimizerFactory& outer,
               Communicator& comm, int local_batch_size)
      : method(with),
        worker(of),
        meter(method, comm),
        all_workers(method, worker, outer, comm),
        at{.local_batch_size = local_batch_size} {}

  Outcome run() { return local_sgd(method, worker, meter, all_workers, at, observer); }

  const LocalSgd& method;
  Worker& worker;
  Meter meter;
  Synchronizer all_workers;
  Progress at;
  RecordingObserver observer;
};

struct Run {
  std::vector<float> x;
  std::vector<RoundRecord> rounds;
  Progress progress;
  Outcome outcome = Outcome::kFinished;
};

/// Runs `workers` quadratic workers in one process and returns what worker 0 saw.
inline Run run(LocalSgd method, const QuadraticWorker::Problem& problem, int workers,
               int local_batch_size) {
  method.num_workers = workers;
  Run result;
  const auto processes = single_process();
  run_workers(workers, *processes, [&](Communicator& comm) {
    QuadraticWorker worker(problem, comm.worker());
    LoopOfWorker loop(method, worker, make_averaging(), comm, local_batch_size);
    const Outcome outcome = loop.run();
    if (comm.worker() != 0) return;
    result = {{worker.parameters().begin(), worker.parameters().end()},
              loop.observer.rounds,
              loop.at,
              outcome};
  });
  return result;
}

inline const QuadraticWorker::Problem kQuiet{.target = {1, -2, 3, 0.5F}};
inline const QuadraticWorker::Problem kNoisy{.target = std::vector<float>(500, 1.0F), .noise = 2};

}  // namespace localbatch
