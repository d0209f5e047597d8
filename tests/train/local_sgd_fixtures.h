#pragma once

#include <vector>

#include "comm/workers.h"
#include "core/options.h"
#include "train/local_sgd.h"
#include "train/quadratic_worker.h"

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
          .learning_rate = [=](std::int64_t, std::int64_t) { return learning_rate; },
          .learning_rate_coupling = {},
          .sync_interval = {[=](const SyncContext&) { return sync_interval; }},
          .controller = default_part(batch_size_controller_table(), "fixed"),
          .limits = {},
          .inner_steps = LinearSteps{}};
}

struct Run {
  std::vector<float> x;
  std::vector<RoundRecord> rounds;
  Progress progress;
  Outcome outcome = Outcome::kFinished;
};

/// Runs `workers` quadratic workers in one process and returns what worker 0 saw.
inline Run run(const LocalSgd& method, const QuadraticWorker::Problem& problem, int workers,
               int local_batch_size) {
  Run result;
  const auto processes = single_process();
  run_workers(workers, *processes, [&](Communicator& comm) {
    QuadraticWorker worker(problem, comm.worker());
    const auto outer = default_part(outer_optimizer_table(), "averaging")(problem.target.size());
    Progress progress{.local_batch_size = local_batch_size};
    std::vector<RoundRecord> rounds;
    const Outcome outcome = local_sgd(method, worker, *outer, comm, progress,
                                      [&](const RoundRecord& round) { rounds.push_back(round); });
    if (comm.worker() != 0) return;
    result = {{worker.parameters().begin(), worker.parameters().end()}, rounds, progress, outcome};
  });
  return result;
}

inline const QuadraticWorker::Problem kQuiet{.target = {1, -2, 3, 0.5F}};
inline const QuadraticWorker::Problem kNoisy{.target = std::vector<float>(500, 1.0F), .noise = 2};

}  // namespace localbatch
