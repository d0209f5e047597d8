#include "replay_folders.h"

#include <fmt/core.h>

#include <algorithm>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "report/finished_run.h"

namespace localbatch {

namespace {

namespace fs = std::filesystem;

/// The folders of runs at or below those that were given, all of which have ended.
std::vector<fs::path> ended_runs(const std::vector<std::string>& folders) {
  if (folders.empty()) fail_input("plan: --replay: found no folder, expected one of a run");
  std::vector<fs::path> found;
  for (const std::string& folder : folders) {
    const std::vector<fs::path> below = folders_of_runs(folder);
    if (below.empty())
      fail_input("{}: holds no run, expected folders with an experiment.yaml", folder);
    for (const fs::path& path : below) {
      if (std::ranges::find(found, path) != found.end())
        fail_input("plan: --replay: found '{}' twice", path.string());
      found.push_back(path);
    }
  }
  for (const fs::path& path : found) {
    const FinishedRun run = read_finished_run(path, path.string());
    if (!has_ended(run.status))
      fail_input("{}: has not ended ({} %), expected a finished run", path.string(), run.percent);
  }
  return found;
}

/// The one speed of all runs, or nothing where each has its own.
std::optional<StepSeconds> common_speed(const ReplayRequest& request) {
  if (request.samples_per_second) return StepSeconds(*request.samples_per_second);
  if (request.speed_from.empty()) return {};
  std::optional<StepSeconds> speed = read_recorded_run(request.speed_from).speed;
  if (!speed)
    fail_input("{}: shows no time of training, expected a run with timing.csv", request.speed_from);
  return speed;
}

std::string speed_text(const ReplayRequest& request) {
  if (request.samples_per_second)
    return fmt::format("{:g} samples per second of a worker, as given",
                       *request.samples_per_second);
  return fmt::format(
      "of worker 0 by timing.csv of {} (data, gradient, update, waiting for slower workers), by "
      "local batch; linear in seconds between two that were measured",
      request.speed_from.empty() ? "each run" : request.speed_from);
}

void print_header(const ReplayRequest& request) {
  const Interconnect& links = request.interconnect;
  print("predicted: local batches and H are those of the runs, seconds those of a model\n");
  print("  speed: {}\n", speed_text(request));
  print("  network: {} per second of a host's link, {:g} s for a message, {}\n",
        size_text(static_cast<std::uint64_t>(links.bandwidth)), links.latency,
        links.measured ? "measured: " + links.measured->file : "as given");
  print(
      "  not counted: statistics of single samples, gradients of audits, checkpoints, waiting for "
      "slower workers, and that streams of parameters travel while workers compute\n\n");
}

TextRow row_of(const Replay& replay) {
  const auto seconds = [](double value) {
    return fmt::format("{:.{}f}", value, value < 100 ? 3 : 0);
  };
  const auto bytes = [](std::int64_t value) {
    return size_text(static_cast<std::uint64_t>(value));
  };
  const RunCost& total = replay.total;
  return {replay.folder,
          fmt::format("{}", replay.workers),
          fmt::format("{}", replay.hosts),
          fmt::format("{}", total.count.rounds),
          fmt::format("{}", total.count.local_steps),
          fmt::format("{:.1f}", replay.average_local_batch_size()),
          bytes(total.traffic.ledger.bytes()),
          bytes(total.traffic.busiest_link()),
          seconds(total.compute_seconds),
          seconds(total.communication_seconds),
          seconds(total.evaluation_seconds),
          seconds(total.seconds())};
}

}  // namespace

int replay_folders(const ReplayRequest& request) {
  if (request.json) check_can_hold_a_file("plan", "json", *request.json);
  if (request.csv) check_can_hold_a_file("plan", "csv", *request.csv);
  if (request.json && request.json == request.csv)
    fail_input("plan: --csv: found '{}', which --json has too, expected another file",
               *request.csv);
  const std::optional<StepSeconds> common = common_speed(request);
  std::vector<Replay> replays;
  std::vector<TextRow> rows{{"run", "workers", "hosts", "rounds", "local steps", "average b",
                             "sent", "busiest link", "compute s", "communication s", "evaluation s",
                             "total s"}};
  for (const fs::path& folder : ended_runs(request.folders)) {
    const Recording recording =
        read_recording(folder, request.placement, request.cores_of_host, request.workers);
    const std::optional<StepSeconds>& speed = common ? common : recording.run.speed;
    if (!speed)
      fail_input("{}: shows no time of training, expected --samples-per-second or --speed-from",
                 folder.string());
    replays.push_back(
        replay_run(recording, *speed, request.interconnect,
                   request.extrapolate ? Extrapolate::kAnyhow : Extrapolate::kWithinReach));
    rows.push_back(row_of(replays.back()));
  }
  print_header(request);
  print("{}", right_aligned(rows));
  if (request.json)
    write_file_atomically(*request.json,
                          replays_json(replays, request.interconnect, speed_text(request)));
  if (request.csv) write_file_atomically(*request.csv, replays_csv(replays));
  return kSuccess;
}

}  // namespace localbatch
