#include "run/prepared_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "comm/agreement.h"
#include "core/files.h"
#include "doctor/output_check.h"
#include "experiment/experiment.h"
#include "run/checkpointer.h"
#include "run/memory_forecast.h"
#include "run/requested_run.h"
#include "run/run_experiment.h"
#include "run/run_files.h"
#include "run/run_folder.h"
#include "run/worker_run.h"

namespace localbatch {

PreparedRun prepare_run(const RunRequest& request, const ProcessGroup& processes) {
  RequestedRun asked = read_request(request);
  auto owned = std::make_shared<const Experiment>(std::move(asked.experiment));
  const Experiment& experiment = *owned;
  PreparedRun run{.experiment = std::move(owned),
                  .task = load_task(experiment),
                  .start = {.experiment = experiment.name,
                            .folder = std::move(asked.folder),
                            .workers = experiment.workers,
                            .ranks = processes.num_ranks(),
                            .threads_per_worker = experiment.threads_per_worker,
                            .max_samples = experiment.method.max_samples},
                  .settings = std::move(asked.settings),
                  .is_branch = experiment.branch.has_value()};
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
  add("folder of the results", run.start.folder.string());
  return facts;
}

CheckpointFacts checkpoint_facts(const PreparedRun& run) {
  return {.made_by = program_identity(),
          .data = run.start.data,
          .settings = run.is_branch ? 0 : checksum_of_settings(run.settings)};
}

namespace {

void append(Diagnoses& all, Diagnoses more) { std::ranges::move(more, std::back_inserter(all)); }

/// The model is written in so many formats.
constexpr std::size_t kFilesOfModel = 2;

/// By a worker that does not compute, but has its arrays.
OutputBytes output_bytes_of(const PreparedRun& run) {
  const RunStart& start = run.start;
  const RunEvents nobody_watches;
  const WorkerRunSetup setup{.experiment = *run.experiment,
                             .folder = start.folder,
                             .epoch_samples = start.task.epoch_samples,
                             .facts = checkpoint_facts(run),
                             .schedule = {},
                             .events = nobody_watches};
  return {.checkpoint = checkpoint_bytes(
              setup, [&](Communicator& comm) { return run.task->make_dry_worker(comm); }),
          .final_parameters =
              kFilesOfModel * sizeof(float) * (start.task.parameters + start.task.running_moments)};
}

/// How the run was launched, for the doctor. `run` must outlive it.
Launch launch_of(const RunRequest& request, const PreparedRun& run,
                 std::span<const RankFacts> ranks, int runs = 1) {
  Launch launch{
      .workers = run.start.workers,
      .threads_per_worker = run.experiment->worker_threads(),
      .network = run.experiment->task->has_network(),
      .command = run_command_line(request),
      .output = run.start.folder,
      .memory = [&run](int hosted_workers, int slots) -> std::uint64_t {
        constexpr std::size_t kSmall = 0;  // the buffers, beside all the rest
        return forecast_memory(*run.experiment, *run.task, hosted_workers, slots, kSmall).total();
      },
      .runs = runs,
      .may_write = !request.dry_run};
  // What has no room in memory has none for finding out its size on the disk.
  if (!has_refusal(check_memory(ranks, launch))) launch.output_bytes = output_bytes_of(run);
  return launch;
}

}  // namespace

void check_branch(const PreparedRun& run) {
  if (run.is_branch && !has_ended_or_can_go_on(run.start.folder))
    fail_input(
        "{}: a branch goes on from a checkpoint, and there is none; 'localbatch branch' makes it "
        "again",
        run.start.folder.string());
}

Diagnoses check_run(const RunRequest& request, const PreparedRun& run,
                    std::span<const RankFacts> ranks) {
  Diagnoses all = examine(ranks, launch_of(request, run, ranks));
  for (std::string& doubt : doubtful_settings(*run.experiment, run.start.task))
    all.push_back({.severity = Severity::kWarning, .text = std::move(doubt)});
  return all;
}

Diagnoses examine_run(const RunRequest& request, ProcessGroup& processes,
                      const std::vector<RankFacts>& ranks) {
  std::optional<PreparedRun> run;
  std::string refusal;
  try {
    run = prepare_run(request, processes);
    check_branch(*run);
  } catch (const std::exception& error) {
    refusal = error.what();
  }
  for (const std::string& of_rank : gather_texts(refusal, processes)) {
    if (of_rank.empty()) continue;
    if (processes.rank() != 0) return {};
    Diagnoses all = examine(ranks, read_launch(request));
    all.push_back({.severity = Severity::kRefusal, .text = of_rank});
    return all;
  }
  require_same(shared_facts(request, *run), processes);
  if (processes.rank() != 0) return {};
  Diagnoses all = check_run(request, *run, ranks);
  append(all, check_folder(request, run->start.folder, run->settings, run->start.workers,
                           checkpoint_facts(*run)));
  return all;
}

void check_room_for(const RunRequest& request, const PreparedRun& run, int runs) {
  const std::vector<RankFacts> alone{facts_of_this_rank(*single_process())};
  const Launch launch = launch_of(request, run, alone, runs);
  Diagnoses all = check_memory(alone, launch);
  append(all, check_output(look_at_output(launch.output, launch.may_write), launch));
  act_on(all, [](const std::string&) {});
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
