#include "plan/measured_run.h"

#include <charconv>
#include <numeric>
#include <vector>

#include "core/csv.h"
#include "core/error.h"
#include "core/files.h"
#include "run/run_files.h"
#include "run/run_folder.h"

namespace localbatch {

namespace {

namespace fs = std::filesystem;

/// One where the manifest does not say.
int ranks_of(const fs::path& folder) {
  int ranks = 1;
  for (const auto& [key, text] : read_manifest(folder / "manifest.json"))
    if (key == "ranks") std::from_chars(text.data(), text.data() + text.size(), ranks);
  return ranks;
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
  const std::vector<double> samples = rounds.positions("samples");
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
  run.communication = read_communication(folder);
  run.ranks = ranks_of(folder);
  return run;
}

}  // namespace localbatch
