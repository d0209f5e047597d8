#include "experiment/run_experiment.h"

#include <exception>
#include <optional>
#include <utility>

#include "comm/mailbox.h"
#include "comm/run_workers.h"
#include "core/error.h"
#include "core/files.h"
#include "core/machine.h"
#include "experiment/experiment_file.h"
#include "experiment/records.h"
#include "experiment/run_folder.h"
#include "experiment/run_recorder.h"
#include "experiment/training_task.h"

namespace localbatch {

namespace {

/// Everything that a rank needs before its workers can start.
struct Prepared {
  std::unique_ptr<const Experiment> experiment;  ///< in its place: the task refers to it
  std::unique_ptr<TrainingTask> task;
  RunStart start;
};

Experiment read_request(const RunRequest& request) {
  Node file = read_experiment_file(request.file);
  for (const std::string& setting : request.settings) apply_setting(file, setting);
  return read_experiment(Options(file));
}

Prepared prepare(const RunRequest& request, ProcessGroup& processes) {
  auto owned = std::make_unique<const Experiment>(read_request(request));
  const Experiment& experiment = *owned;
  check_ranks(experiment.workers, processes.num_ranks());
  const HostedWorkers hosted =
      hosted_workers(experiment.workers, processes.rank(), processes.num_ranks());
  auto task = experiment.problem.make ? make_problem_task(experiment, hosted.count)
                                      : make_network_task(experiment, hosted.count);
  RunStart start{.experiment = experiment.name,
                 .folder = run_folder(request.output, experiment.name, request.settings,
                                      resolved_yaml(experiment.resolved)),
                 .workers = experiment.workers,
                 .ranks = processes.num_ranks(),
                 .threads_per_worker = experiment.threads_per_worker,
                 .cores = available_cores(),
                 .max_samples = experiment.method.max_samples};
  task->describe(start);
  return {std::move(owned), std::move(task), std::move(start)};
}

/// Runs `build` and finds out whether all ranks could: a rank that fails alone would leave the
/// others waiting for it. The first one that failed throws its own error, the others
/// FailedElsewhere.
template <class Build>
auto agree(ProcessGroup& processes, const Build& build) {
  std::optional<decltype(build())> built;
  std::exception_ptr error;
  try {
    built = build();
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  const int rank = processes.rank(), ranks = processes.num_ranks();
  const int first_failed = ranks - Mailbox(processes).max(error ? ranks - rank : 0);
  if (first_failed == rank) std::rethrow_exception(error);
  if (first_failed < ranks) throw FailedElsewhere();
  return std::move(*built);
}

}  // namespace

RunResult run_experiment(const RunRequest& request, ProcessGroup& processes,
                         const RunEvents& events, const std::function<void()>& training_begins) {
  Prepared run = agree(processes, [&] { return prepare(request, processes); });
  // Claiming a folder may remove older results, so it has to wait until all ranks are known to be
  // ready; and it may fail, on rank 0 alone, which the others have to know before they train. Hence
  // two agreements.
  agree(processes, [&] {
    if (processes.rank() == 0) claim_run_folder(run.start.folder, request.force);
    return true;
  });
  const Experiment& experiment = *run.experiment;
  const std::filesystem::path& folder = run.start.folder;
  training_begins();
  if (processes.rank() == 0) {
    write_file_atomically(folder / "experiment.yaml", resolved_yaml(experiment.resolved));
    if (!experiment.kernels.path.empty())
      write_file_atomically(folder / "kernels.yaml", experiment.kernels.text);
    write_manifest(folder, request, run.start);
    events.on_start(run.start);
  }

  RunResult result;
  const int first_hosted =
      hosted_workers(experiment.workers, processes.rank(), processes.num_ranks()).first;
  run_workers(experiment.workers, processes, [&](Communicator& plain_comm) {
    TimedCommunicator comm(plain_comm);
    const auto worker = run.task->make_worker(comm);
    const auto outer = experiment.make_outer_optimizer(worker->parameters().size());
    RunRecorder recorder(experiment, folder, *worker, comm, run.task->epoch_samples(), events);
    Progress progress{.local_batch_size = experiment.method.initial_local_batch_size};
    const Outcome outcome = local_sgd(experiment.method, *worker, *outer, comm, progress,
                                      [&](const RoundRecord& round) { recorder.observe(round); });
    const FinalModel model = worker->final_model(comm);
    if (comm.worker() == first_hosted) result.outcome = outcome;
    if (comm.worker() != 0) return;
    result = recorder.result(outcome);
    write_final_model(folder, model);
    write_summary(folder, experiment, result);
  });
  return result;
}

}  // namespace localbatch
