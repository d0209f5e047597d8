#include "run/prepared_run.h"

#include <fmt/core.h>

#include <utility>

#include "comm/agreement.h"
#include "comm/workers.h"
#include "core/files.h"
#include "core/machine.h"
#include "doctor/doctor.h"
#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "run/checkpointer.h"
#include "run/requested_run.h"
#include "run/run_files.h"
#include "run/run_folder.h"
#include "run/run_request.h"
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
                  .task = load_task(experiment),
                  .start = {.experiment = experiment.name,
                            .folder = std::move(asked.folder),
                            .workers = experiment.workers,
                            .ranks = processes.num_ranks(),
                            .threads_per_worker = experiment.threads_per_worker,
                            .cores = available_cores(),
                            .max_samples = experiment.method.max_samples},
                  .settings = resolved_yaml(experiment.resolved)};
  run.start.slots = run.task->allocate(hosted);
  run.start.task = run.task->facts();
  run.start.data = run.task->data_checksum();
  return run;
}

std::vector<SharedFact> shared_facts(const RunRequest& request, const PreparedRun& run) {
  std::vector<SharedFact> facts;
  for (auto& [place, value] : values_by_place(run.settings))
    facts.push_back({std::move(place), std::move(value)});
  const auto add = [&facts](const char* name, const auto& value) {
    facts.push_back({name, fmt::format("{}", value)});
  };
  add("checksum of the data", fmt::format("{:016x}", run.start.data));
  for (const SettingsFile& file : run.experiment->task->files())
    add(file.name.c_str(), fmt::format("{:016x}", checksum(file.text)));
  add("--force", request.force);
  add("--resume", request.resume);
  add("--checkpoint-seconds", request.checkpoints.every_seconds);
  add("--checkpoint-rounds", request.checkpoints.every_rounds);
  add("--stall-limit", request.stall_limit);
  add("folder of the results", run.start.folder.string());
  return facts;
}

CheckpointFacts checkpoint_facts(const RunStart& start) {
  return {.made_by = program_identity(), .data = start.data};
}

Launch launch_of(const RunRequest& request, const PreparedRun& run) {
  const RunStart& start = run.start;
  const RunEvents nobody_watches;
  const WorkerRunSetup setup{.experiment = *run.experiment,
                             .folder = start.folder,
                             .epoch_samples = start.task.epoch_samples,
                             .facts = checkpoint_facts(start),
                             .schedule = {},
                             .events = nobody_watches};
  const std::size_t checkpoint =
      checkpoint_bytes(setup, [&](Communicator& comm) { return run.task->make_dry_worker(comm); });
  return {.workers = start.workers,
          .threads_per_worker = run.experiment->worker_threads(),
          .network = run.experiment->task->has_network(),
          .command = run_command_line(request),
          .output = start.folder,
          .output_bytes =
              OutputBytes{.checkpoint = checkpoint,
                          .final_parameters = (start.task.parameters + start.task.running_moments) *
                                              sizeof(float)}};
}

void write_beginning(const RunRequest& request, const PreparedRun& run) {
  const std::filesystem::path& folder = run.start.folder;
  // Written first: its presence marks the folder as a run.
  write_file_atomically(folder / "experiment.yaml", run.settings);
  for (const SettingsFile& file : run.experiment->task->files())
    write_file_atomically(folder / file.name, file.text);
  write_manifest(folder, request, run.start);
}

}  // namespace localbatch
