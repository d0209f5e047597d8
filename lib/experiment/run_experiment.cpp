#include "experiment/run_experiment.h"

#include <algorithm>
#include <exception>
#include <optional>

#include "comm/run_workers.h"
#include "core/error.h"
#include "core/files.h"
#include "core/machine.h"
#include "experiment/experiment_file.h"
#include "experiment/records.h"
#include "experiment/run_folder.h"
#include "experiment/run_recorder.h"

namespace localbatch {

namespace {

/// Everything that a rank needs before its workers can start.
struct Prepared {
  Experiment experiment;
  Dataset dataset;
  Shares shares;
  std::optional<Model> model;
  std::unique_ptr<SlotPool> slots;
  RunStart start;
};

Experiment read_request(const RunRequest& request) {
  Node file = read_experiment_file(request.file);
  for (const std::string& setting : request.settings) apply_setting(file, setting);
  return read_experiment(Options(file));
}

void check_nobody_is_left_out(const Shares& shares) {
  for (std::size_t worker = 0; worker < shares.size(); ++worker)
    if (shares[worker].empty())
      fail_input(
          "dataset.partition: worker {} of {} would get no training image; use fewer workers, "
          "another seed or a more even partition",
          worker, shares.size());
}

Prepared prepare(const RunRequest& request, ProcessGroup& processes) {
  Prepared run{.experiment = read_request(request),
               .dataset = {},
               .shares = {},
               .model = {},
               .slots = {},
               .start = {}};
  const Experiment& experiment = run.experiment;
  check_ranks(experiment.workers, processes.num_ranks());
  const HostedWorkers hosted =
      hosted_workers(experiment.workers, processes.rank(), processes.num_ranks());
  run.dataset = experiment.load_dataset();
  run.shares = run.dataset.partition(run.dataset.train.labels, run.dataset.num_classes,
                                     experiment.workers, experiment.seed);
  check_nobody_is_left_out(run.shares);
  run.model = experiment.make_model(run.dataset.shape, run.dataset.num_classes);
  check_kernels_are_used(experiment.kernels, *run.model);

  const int cores = available_cores();
  const int slots = std::clamp(cores / experiment.threads_per_worker, 1, std::max(1, hosted.count));
  run.slots = std::make_unique<SlotPool>(*run.model,
                                         ExecutionOptions{.max_images = experiment.micro_batch,
                                                          .threads = experiment.threads_per_worker,
                                                          .precision = experiment.precision,
                                                          .winograd = experiment.winograd,
                                                          .kernels = experiment.kernels.choices},
                                         slots);
  run.start = {.experiment = experiment.name,
               .folder = run_folder(request.output, experiment.name, request.settings,
                                    resolved_yaml(experiment.resolved)),
               .workers = experiment.workers,
               .ranks = processes.num_ranks(),
               .threads_per_worker = experiment.threads_per_worker,
               .slots = slots,
               .cores = cores,
               .precision = experiment.precision,
               .winograd = experiment.winograd,
               .parameters = total_size(parameter_tensors(*run.model)),
               .train_images = run.dataset.train.size(),
               .test_images = run.dataset.test.size(),
               .max_samples = experiment.method.max_samples};
  return run;
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
  const int first_failed = ranks - processes.max(error ? ranks - rank : 0);
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
  const Experiment& experiment = run.experiment;
  const TrainingSetup setup{.dataset = run.dataset,
                            .shares = run.shares,
                            .augmentation = experiment.augmentation,
                            .model = *run.model,
                            .micro_batch = experiment.micro_batch,
                            .seed = experiment.seed,
                            .inner_optimizer = experiment.inner_optimizer,
                            .batch_norm_at_sync = experiment.batch_norm_at_sync,
                            .slots = *run.slots};
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
    NetworkWorker worker(setup, comm.worker(), comm.num_workers());
    const auto outer = experiment.make_outer_optimizer(worker.parameters().size());
    RunRecorder recorder(experiment, folder, worker, comm, run.dataset.train.size(), events);
    Progress progress{.local_batch_size = experiment.method.initial_local_batch_size};
    const Outcome outcome = local_sgd(experiment.method, worker, *outer, comm, progress,
                                      [&](const RoundRecord& round) { recorder.observe(round); });
    const std::vector<float> statistics = worker.mean_statistics(comm);
    if (comm.worker() == first_hosted) result.outcome = outcome;
    if (comm.worker() != 0) return;
    result = recorder.result(outcome);
    write_final_parameters(folder, *run.model, canonical_parameters(worker, *run.slots),
                           statistics);
    write_summary(folder, experiment, result);
  });
  return result;
}

}  // namespace localbatch
