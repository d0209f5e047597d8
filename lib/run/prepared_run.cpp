#include "run/prepared_run.h"

#include <utility>

#include "comm/workers.h"
#include "core/files.h"
#include "core/machine.h"
#include "doctor/doctor.h"
#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "run/checkpointer.h"
#include "run/run_files.h"
#include "run/run_request.h"
#include "run/task.h"
#include "run/worker_run.h"

namespace localbatch {

PreparedRun prepare_run(const RunRequest& request, const ProcessGroup& processes) {
  RequestedRun asked = read_request(request);
  auto owned = std::make_shared<const Experiment>(std::move(asked.experiment));
  const Experiment& experiment = *owned;
  check_ranks(experiment.workers, processes.num_ranks());
  const int hosted =
      hosted_workers(experiment.workers, processes.rank(), processes.num_ranks()).count;
  PreparedRun run{.experiment = std::move(owned),
                  .task = experiment.problem.make ? make_problem_task(experiment, hosted)
                                                  : make_network_task(experiment, hosted),
                  .start = {.experiment = experiment.name,
                            .folder = std::move(asked.folder),
                            .workers = experiment.workers,
                            .ranks = processes.num_ranks(),
                            .threads_per_worker = experiment.threads_per_worker,
                            .cores = available_cores(),
                            .max_samples = experiment.method.max_samples},
                  .settings = resolved_yaml(experiment.resolved)};
  run.task->describe(run.start);
  if (processes.rank() == 0) run.start.data = run.task->data_checksum();
  return run;
}

Launch launch_of(const RunRequest& request, const PreparedRun& run) {
  const RunStart& start = run.start;
  const RunEvents nobody_watches;
  const WorkerRunSetup setup{.experiment = *run.experiment,
                             .folder = start.folder,
                             .epoch_samples = run.task->epoch_samples(),
                             .facts = {.made_by = program_identity()},
                             .schedule = {},
                             .events = nobody_watches};
  const std::size_t checkpoint = checkpoint_bytes(
      setup, [&](Communicator& comm) { return run.task->make_dry_worker(comm); });
  return {.workers = start.workers,
          .threads_per_worker = start.problem ? 1 : start.threads_per_worker,
          .network = !start.problem,
          .command = run_command_line(request),
          .output = start.folder,
          .output_bytes = 2 * checkpoint + start.parameters * sizeof(float)};
}

void write_beginning(const RunRequest& request, const PreparedRun& run) {
  const std::filesystem::path& folder = run.start.folder;
  // Written first: its presence marks the folder as a run.
  write_file_atomically(folder / "experiment.yaml", run.settings);
  const KernelsFile& kernels = run.experiment->kernels;
  if (!kernels.path.empty()) write_file_atomically(folder / "kernels.yaml", kernels.text);
  write_manifest(folder, request, run.start);
}

}  // namespace localbatch
