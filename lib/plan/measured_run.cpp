#include "plan/measured_run.h"

#include <numeric>
#include <vector>

#include "core/csv.h"
#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "run/run_folder.h"

namespace localbatch {

namespace {

namespace fs = std::filesystem;

/// Files of another version may lack some of it.
void read_communication(const fs::path& folder, MeasuredRun& run) {
  const fs::path path = folder / "summary.json", manifest = folder / "manifest.json";
  try {
    const Json summary = Json::parse(read_text(path));
    const Json communication = summary.value("communication", Json::object());
    for (std::size_t kind = 0; kind < kTrafficKinds; ++kind) {
      const auto found = communication.find(std::string(kTrafficNames[kind]));
      if (found == communication.end()) continue;
      run.communication.entries[kind] = {.messages = found->at("messages"),
                                         .bytes = found->at("bytes"),
                                         .bytes_between_hosts = found->at("bytes_between_hosts")};
    }
    run.ranks = Json::parse(read_text(manifest)).value("ranks", 1);
  } catch (const Json::exception& error) {
    fail_input("{}: summary.json or manifest.json: {}", folder.string(), error.what());
  }
}

}  // namespace

MeasuredRun read_measured_run(const fs::path& folder, const std::optional<std::string>& resolved) {
  if (!fs::exists(folder / "summary.json"))
    fail_input("{}: holds no finished run", folder.string());
  const std::string settings = read_text(folder / "experiment.yaml");
  if (resolved && settings != *resolved)
    fail_input("{}: is a run with other settings: {}", folder.string(),
               first_difference(settings, *resolved));
  const CsvColumns rounds(folder / "rounds.csv"), timing(folder / "timing.csv");
  const std::vector<double> samples = rounds.all_numbers("samples");
  if (samples.empty()) fail_input("{}: holds no round", (folder / "rounds.csv").string());

  MeasuredRun run;
  run.rounds = static_cast<std::int64_t>(samples.size());
  run.samples = static_cast<std::int64_t>(samples.back());
  const std::vector<double> steps = rounds.all_numbers("sync_interval"),
                            batches = rounds.all_numbers("local_batch_size");
  const double samples_of_worker =
      std::inner_product(steps.begin(), steps.end(), batches.begin(), 0.0);
  double computed = 0;
  for (const char* const name : {"data_seconds", "gradient_seconds", "optimizer_seconds"})
    computed += sum_of(timing, name);
  if (computed > 0) run.speed = samples_of_worker / computed;
  run.compute_seconds = computed + sum_of(timing, "slot_seconds");
  run.communication_seconds = sum_of(timing, "communication_seconds");
  run.waiting_seconds = sum_of(timing, "waiting_seconds");
  run.evaluation_seconds = sum_of(timing, "evaluation_seconds");
  run.seconds = sum_of(timing, "total_seconds");
  read_communication(folder, run);
  return run;
}

}  // namespace localbatch
