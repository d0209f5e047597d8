#include "plan/measured_run.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <set>
#include <span>
#include <vector>

#include "core/csv.h"
#include "core/error.h"
#include "core/files.h"
#include "run/run_files.h"
#include "run/run_folder.h"

namespace localbatch {

namespace {

namespace fs = std::filesystem;

/// The columns of timing.csv that a local step's own work is in.
constexpr std::array<const char*, 3> kComputing{"data_seconds", "gradient_seconds",
                                                "optimizer_seconds"};

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
  for (const char* const name : kComputing) computed += sum_of(timing, name);
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

namespace {

/// A column of whole numbers from 1 on that an int holds.
std::vector<int> counts_of(const fs::path& path, const CsvColumns& columns,
                           const std::string& name) {
  std::vector<int> counts;
  for (const double number : columns.all_numbers(name)) {
    if (!(number >= 1 && number <= std::numeric_limits<int>::max() && number == std::floor(number)))
      fail_input("{}:{}: {}: found {}, expected a whole number from 1 on", path.string(),
                 counts.size() + 2, name, number);
    counts.push_back(static_cast<int>(number));
  }
  return counts;
}

std::vector<RecordedRound> recorded_rounds(const fs::path& folder) {
  const fs::path path = folder / "rounds.csv";
  const CsvColumns columns(path), evaluations(folder / "evaluations.csv");
  const std::vector<double> numbers = columns.positions("round"),
                            samples = columns.positions("samples"),
                            evaluated = evaluations.positions("round");
  const std::vector<int> steps = counts_of(path, columns, "sync_interval"),
                         batches = counts_of(path, columns, "local_batch_size");
  if (numbers.empty()) fail_input("{}: holds no round", path.string());
  const std::set<double> with_evaluation(evaluated.begin(), evaluated.end());
  std::vector<RecordedRound> rounds;
  for (std::size_t i = 0; i < numbers.size(); ++i)
    rounds.push_back({.round = static_cast<std::int64_t>(numbers[i]),
                      .samples = static_cast<std::int64_t>(samples[i]),
                      .local_steps = steps[i],
                      .local_batch_size = batches[i],
                      .evaluated = with_evaluation.contains(numbers[i])});
  return rounds;
}

std::optional<StepSeconds> recorded_speed(const fs::path& folder,
                                          const std::vector<RecordedRound>& rounds) {
  const fs::path path = folder / "timing.csv";
  if (!is_there(path)) return {};
  const CsvColumns columns(path);
  const std::vector<double> numbers = columns.positions("round");
  // The last round of a run that is under way is timed when it has been evaluated.
  const bool last_is_open =
      numbers.size() + 1 == rounds.size() && !is_there(folder / "summary.json");
  const std::span timed(rounds.begin(), rounds.size() - (last_is_open ? 1 : 0));
  if (!std::ranges::equal(numbers, timed, {}, {}, [](const RecordedRound& recorded) {
        return static_cast<double>(recorded.round);
      }))
    fail_input("{}: has other rounds than rounds.csv", path.string());
  if (timed.empty()) return {};
  std::map<int, double> seconds, steps;
  std::vector<const char*> of_slowest(kComputing.begin(), kComputing.end());
  if (columns.has("waiting_seconds")) of_slowest.push_back("waiting_seconds");
  for (const char* const name : of_slowest) {
    const std::vector<double> spent = columns.all_numbers(name);
    for (std::size_t i = 0; i < spent.size(); ++i) seconds[timed[i].local_batch_size] += spent[i];
  }
  for (const RecordedRound& recorded : timed)
    steps[recorded.local_batch_size] += recorded.local_steps;
  for (auto& [batch, sum] : seconds) {
    if (!(sum > 0)) return {};
    sum /= steps[batch];
  }
  return StepSeconds(std::move(seconds));
}

}  // namespace

RecordedRun read_recorded_run(const fs::path& folder) {
  RecordedRun run{.rounds = recorded_rounds(folder), .speed = {}};
  run.speed = recorded_speed(folder, run.rounds);
  return run;
}

double StepSeconds::samples_per_second(int local_batch_size) const {
  if (measured_.empty()) return given_;
  const auto above = measured_.lower_bound(local_batch_size);
  const auto at = [](const auto& entry) { return entry.first / entry.second; };
  if (above == measured_.end()) return at(*measured_.rbegin());
  if (above->first == local_batch_size || above == measured_.begin()) return at(*above);
  const auto [b0, t0] = *std::prev(above);
  const auto [b1, t1] = *above;
  const double share = static_cast<double>(local_batch_size - b0) / (b1 - b0);
  return local_batch_size / (t0 + share * (t1 - t0));
}

double StepSeconds::samples_per_second_of_largest() const {
  return samples_per_second(std::numeric_limits<int>::max());
}

}  // namespace localbatch
