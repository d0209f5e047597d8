#include "run/branches.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <tuple>

#include "core/csv.h"
#include "core/error.h"
#include "core/files.h"
#include "core/yaml.h"
#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "run/checkpoints.h"
#include "run/run_folder.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

constexpr std::array kCopiedCurves{"rounds.csv", "evaluations.csv", "timing.csv"};

/// The settings of the run with those of the branch, as a run would write them.
Experiment branch_experiment(const fs::path& run, const Branch& branch) {
  const fs::path settings = run / "experiment.yaml";
  const std::string text = fmt::format(
      "{}branch: {{at: {}, local_batch_size: {}, samples: {}, repeat: {}}}\n", read_text(settings),
      branch.at, branch.local_batch_size, branch.samples, branch.repeat);
  const Node node = parse_yaml(text, settings.string());
  return read_experiment(Options(node));
}

}  // namespace

fs::path branch_folder(const fs::path& run, const Branch& branch) {
  return run / "branches" /
         fmt::format("at={}-b={}-samples={}-repeat={}", branch.at, branch.local_batch_size,
                     branch.samples, branch.repeat);
}

namespace {

/// Of all workers, at the end of a round of the run, which has to be the first that reaches `at`.
std::int64_t samples_after(std::int64_t round, std::int64_t at, const fs::path& run) {
  const CsvColumns rounds(run / "rounds.csv");
  const std::vector<double> numbers = rounds.positions("round");
  const auto found = std::ranges::find(numbers, static_cast<double>(round));
  if (found == numbers.end())
    fail_input("{}: has no round {}, behind which a checkpoint was kept",
               (run / "rounds.csv").string(), round);
  const auto row = static_cast<std::size_t>(found - numbers.begin());
  const std::vector<double> samples = rounds.positions("samples");
  if (samples[row] < static_cast<double>(at) ||
      (row > 0 && samples[row - 1] >= static_cast<double>(at)))
    fail_input(
        "{}: the checkpoint that was kept at {} samples is that of round {}, which is not "
        "the first that reaches them",
        run.string(), at, round);
  return static_cast<std::int64_t>(samples[row]);
}

/// Whether a branch has ended or can go on; one that lost its checkpoint is made again.
bool is_made(const fs::path& run, const Branch& branch) {
  const fs::path folder = branch_folder(run, branch);
  return is_there(folder / "experiment.yaml") && has_ended_or_can_go_on(folder);
}

/// The rounds of a branch share evenly what is left at its end (LocalSgd::plan), so local steps are
/// smaller than its local batch when that does not divide it. A result of it must not be called one
/// of the local batch when their mean is less than this part of it.
constexpr double kLeastPartOfBatch = 0.9;

void check_local_batch(const Branch& branch, const fs::path& run, std::int64_t reached,
                       int num_workers) {
  const std::int64_t left = branch.at + branch.samples - reached;
  if (left <= 0)
    fail_input(
        "{}: a branch at {} samples would end at {}, and the round that reached its beginning ends "
        "at {}; expected more samples",
        run.string(), branch.at, branch.at + branch.samples, reached);
  const double share = std::ceil(static_cast<double>(left) / num_workers);
  const double mean = share / std::ceil(share / branch.local_batch_size);
  if (mean < kLeastPartOfBatch * branch.local_batch_size)
    fail_input(
        "{}: a branch at {} samples has {} left for each worker, in local steps of {:.0f}, too few "
        "for a local batch of {}; expected more samples",
        run.string(), branch.at, share, mean, branch.local_batch_size);
}

}  // namespace

void check_branches(const fs::path& run, std::span<const Branch> branches) {
  std::map<std::int64_t, std::int64_t> reached;  // samples at the end of the round, by points
  for (const Branch& branch : branches) {
    if (is_made(run, branch)) continue;
    const Experiment experiment = branch_experiment(run, branch);
    if (experiment.method.max_samples > *experiment.method.scheduled_samples)
      fail_input("{}: a branch at {} samples would end at {}, and the run does at {}", run.string(),
                 branch.at, experiment.method.max_samples, *experiment.method.scheduled_samples);
    if (!reached.contains(branch.at)) {
      const CheckpointFacts kept = kept_checkpoint(run, branch.at, experiment.workers);
      if (kept.settings != checksum_of_settings(read_text(run / "experiment.yaml")))
        fail_input("{}: the settings are not those that the checkpoint at {} samples was made with",
                   (run / "experiment.yaml").string(), branch.at);
      reached[branch.at] = samples_after(kept.round, branch.at, run);
    }
    check_local_batch(branch, run, reached[branch.at], experiment.workers);
  }
}

bool prepare_branch(const fs::path& run, const Branch& branch) {
  if (is_made(run, branch)) return false;
  const fs::path folder = branch_folder(run, branch);
  const Experiment experiment = branch_experiment(run, branch);
  const fs::path begun = folder.string() + ".new";
  std::error_code error;
  fs::remove_all(begun, error);
  fs::create_directories(begun, error);
  if (error) fail_input("{}: cannot be made: {}", begun.string(), error.message());
  copy_kept_checkpoint(run, branch.at, experiment.workers, begun);
  for (const char* const curves : kCopiedCurves) copy_file_atomically(run / curves, begun / curves);
  write_file_atomically(begun / "experiment.yaml", resolved_yaml(experiment.resolved));
  fs::remove_all(folder, error);
  if (error) fail_input("{}: cannot be replaced: {}", folder.string(), error.message());
  rename_file(begun, folder);
  return true;
}

void discard_branch(const fs::path& run, const Branch& branch) {
  std::error_code ignored;  // what is in the way is told of when the branch is made again
  fs::remove_all(branch_folder(run, branch), ignored);
}

std::vector<Branch> finished_branches(const fs::path& run) {
  std::vector<Branch> finished;
  for (const fs::path& folder : paths_in(run / "branches")) {
    const fs::path settings = folder / "experiment.yaml";
    if (!is_there(settings) || !is_there(folder / "summary.json")) continue;
    const Node node = parse_yaml(read_text(settings), settings.string());
    Options options(node);
    if (const std::optional<Branch> branch = read_branch(options)) finished.push_back(*branch);
  }
  std::ranges::sort(finished, {}, [](const Branch& branch) {
    return std::tuple(branch.at, branch.repeat, branch.local_batch_size, branch.samples);
  });
  return finished;
}

RunRequest branch_request(const fs::path& run, const Branch& branch) {
  const fs::path folder = branch_folder(run, branch);
  RunRequest request{.file = folder / "experiment.yaml", .settings = {}, .output = {}};
  request.resumed_folder = folder;
  request.resume = true;
  return request;
}

namespace {

/// The mean over samples of the rounds behind the one that was the first to reach `at`. Evaluations
/// tell their losses since the one before, which may be a round or many.
std::optional<double> mean_loss_behind(std::int64_t at, const CsvColumns& rounds) {
  const std::vector<double> samples = rounds.positions("samples");
  const std::vector<std::optional<double>> losses = rounds.numbers("loss");
  std::size_t round = 0;
  while (round < samples.size() && samples[round] < static_cast<double>(at)) ++round;
  double sum = 0, weight = 0;
  for (++round; round < samples.size(); ++round) {
    const double of_round = samples[round] - samples[round - 1];
    if (!losses[round]) return {};
    sum += of_round * *losses[round];
    weight += of_round;
  }
  return weight > 0 ? std::optional(sum / weight) : std::nullopt;
}

}  // namespace

BranchEnd read_branch_end(const fs::path& run, const Branch& branch) {
  const fs::path folder = branch_folder(run, branch);
  const CsvColumns rounds(folder / "rounds.csv"), evaluations(folder / "evaluations.csv");
  BranchEnd end{.branch = branch};
  if (rounds.num_rows() > 0) {
    end.rounds = static_cast<std::int64_t>(rounds.positions("round").back());
    end.samples = static_cast<std::int64_t>(rounds.positions("samples").back());
  }
  if (end.samples < branch.at + branch.samples || evaluations.num_rows() == 0) return end;
  end.train_loss = mean_loss_behind(branch.at, rounds);
  end.test_loss = evaluations.numbers("test_loss").back();
  end.test_accuracy = evaluations.numbers("test_accuracy").back();
  return end;
}

namespace {

using Losses = std::map<int, std::optional<double>>;  ///< of one repeat at one point, by b

/// Nothing where there is no loss of the smallest to compare with.
std::optional<int> critical_size(const Losses& losses, double tolerance) {
  const std::optional<double> smallest = losses.begin()->second;
  std::optional<int> largest;
  for (const auto& [local_batch_size, loss] : losses) {
    if (!smallest || !loss || *loss > *smallest + tolerance) break;
    largest = local_batch_size;
  }
  return largest;
}

}  // namespace

std::vector<CriticalBatchSize> critical_batch_sizes(std::span<const BranchEnd> ends,
                                                    BranchLoss loss, double tolerance) {
  const auto measured = loss == BranchLoss::kTrain ? &BranchEnd::train_loss : &BranchEnd::test_loss;
  std::map<std::int64_t, std::map<int, Losses>> by_point;
  std::map<std::int64_t, std::set<int>> tried;
  for (const BranchEnd& end : ends) {
    const Branch& branch = end.branch;
    by_point[branch.at][branch.repeat][branch.local_batch_size] = end.*measured;
    tried[branch.at].insert(branch.local_batch_size);
  }
  std::vector<CriticalBatchSize> all;
  for (const auto& [at, repeats] : by_point) {
    std::vector<int> sizes;
    for (const auto& [repeat, losses] : repeats) {
      const bool has_all = losses.size() == tried[at].size();
      const std::optional<int> size = has_all ? critical_size(losses, tolerance) : std::nullopt;
      if (size) sizes.push_back(*size);
    }
    std::ranges::sort(sizes);
    CriticalBatchSize& critical =
        all.emplace_back(CriticalBatchSize{.at = at, .largest_tried = *tried[at].rbegin()});
    critical.repeats = static_cast<int>(sizes.size());
    if (sizes.empty()) continue;
    critical.local_batch_size = sizes[(sizes.size() - 1) / 2];
    critical.lowest = sizes.front();
    critical.highest = sizes.back();
  }
  return all;
}

namespace {

using End = const BranchEnd&;

constexpr std::array<CsvColumn<BranchEnd>, 9> kBranchColumns{{
    {"at_samples", "samples", "of the run, where it was branched",
     [](End e) { return csv_cell(e.branch.at); }},
    {"local_batch_size", "samples", "b of the branch",
     [](End e) { return csv_cell(e.branch.local_batch_size); }},
    {"repeat", "", "which of several that see other data, but for a few draws",
     [](End e) { return csv_cell(e.branch.repeat); }},
    {"branch_samples", "samples", "how far it was to go",
     [](End e) { return csv_cell(e.branch.samples); }},
    {"rounds", "", "of run and branch together", [](End e) { return csv_cell(e.rounds); }},
    {"samples", "samples", "likewise", [](End e) { return csv_cell(e.samples); }},
    {"train_loss", "nats", "mean training loss of the branch, weighted by samples",
     [](End e) { return csv_cell(e.train_loss); }},
    {"test_loss", "nats", "at the end; empty: it has diverged",
     [](End e) { return csv_cell(e.test_loss); }},
    {"test_accuracy", "", "at the end", [](End e) { return csv_cell(e.test_accuracy); }},
}};

using Critical = const CriticalBatchSize&;

constexpr std::array<CsvColumn<CriticalBatchSize>, 5> kCriticalColumns{{
    {"at_samples", "samples", "of the run", [](Critical c) { return csv_cell(c.at); }},
    {"critical_local_batch_size", "samples", "median of the repeats",
     [](Critical c) { return csv_cell(c.local_batch_size); }},
    {"lowest", "samples", "of the repeats", [](Critical c) { return csv_cell(c.lowest); }},
    {"highest", "samples", "of the repeats", [](Critical c) { return csv_cell(c.highest); }},
    {"repeats", "", "those that have all sizes", [](Critical c) { return csv_cell(c.repeats); }},
}};

}  // namespace

std::span<const CsvColumn<BranchEnd>> branch_columns() { return kBranchColumns; }
std::span<const CsvColumn<CriticalBatchSize>> critical_batch_size_columns() {
  return kCriticalColumns;
}

namespace {

template <class Row>
void write_table(const fs::path& path, std::span<const CsvColumn<Row>> columns,
                 std::span<const Row> rows) {
  std::vector<std::string> cells;
  for (const CsvColumn<Row>& column : columns) cells.emplace_back(column.name);
  std::string text = csv_line(cells);
  for (const Row& row : rows) {
    std::ranges::transform(columns, cells.begin(),
                           [&row](const CsvColumn<Row>& column) { return column.cell(row); });
    text += csv_line(cells);
  }
  write_file_atomically(path, text);
}

}  // namespace

std::vector<CriticalBatchSize> tabulate_branches(const fs::path& run, const BranchPlan& plan) {
  std::vector<BranchEnd> ends;
  for (const Branch& branch : finished_branches(run)) ends.push_back(read_branch_end(run, branch));
  write_table<BranchEnd>(run / "branches.csv", branch_columns(), ends);
  std::erase_if(ends, [&plan](const BranchEnd& end) { return end.branch.samples != plan.samples; });
  std::vector<CriticalBatchSize> critical = critical_batch_sizes(ends, plan.loss, plan.tolerance);
  std::vector<CriticalBatchSize> known = critical;
  std::erase_if(known, [](const CriticalBatchSize& point) { return point.repeats == 0; });
  write_table<CriticalBatchSize>(run / "critical_batch_sizes.csv", critical_batch_size_columns(),
                                 known);
  return critical;
}

}  // namespace localbatch
