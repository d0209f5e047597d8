#include "report/result_columns.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/parse.h"
#include "core/text.h"

namespace localbatch {

namespace {

using Better = ResultColumn::Better;
using Run = const FinishedRun&;
using Columns = const std::optional<CsvColumns>&;

std::optional<double> sum(Columns columns, const std::string& name) {
  if (!columns || !columns->has(name)) return {};
  return sum_of(*columns, name);
}

/// The numbers of the rows that have one.
std::vector<double> numbers(Columns columns, const std::string& name) {
  std::vector<double> found;
  if (!columns || !columns->has(name)) return found;
  for (const std::optional<double>& number : columns->numbers(name))
    if (number) found.push_back(*number);
  return found;
}

std::optional<double> last(Columns columns, const std::string& name, double factor = 1) {
  const std::vector<double> all = numbers(columns, name);
  if (all.empty()) return {};
  return factor * all.back();
}

/// The samples that all workers have processed together.
std::optional<double> samples(Run run) {
  return run.rounds ? last(run.rounds, "samples") : last(run.evaluations, "samples");
}

std::optional<double> rounds(Run run) {
  return run.rounds ? last(run.rounds, "round") : last(run.evaluations, "round");
}

std::optional<double> average_local_batch_size(Run run) {
  const std::optional<double> all = samples(run), steps = sum(run.rounds, "sync_interval");
  const double workers = number_in(run.settings.value("workers")).value_or(0);
  if (!all || !steps || *steps == 0 || workers == 0) return {};
  return *all / (workers * *steps);
}

/// The row of evaluations.csv in which a column of the test set counts as the best; see
/// is_of_best().
std::optional<std::size_t> row_of_best(Run run, const std::string& name) {
  if (!run.evaluations || !run.evaluations->has(name)) return {};
  const bool more = name == "test_accuracy";
  const std::string by = !has_validation(run) ? name
                         : more               ? "validation_accuracy"
                                              : "validation_loss";
  const std::vector<std::optional<double>> figures = run.evaluations->numbers(name),
                                           chosen_by = run.evaluations->numbers(by);
  std::optional<std::size_t> best;
  for (std::size_t row = 0; row < figures.size(); ++row) {
    // Every comparison with a NaN is false: as the first one it would stay the best.
    if (!figures[row] || !chosen_by[row] || std::isnan(*chosen_by[row])) continue;
    if (!best || (more ? *chosen_by[row] > *chosen_by[*best] : *chosen_by[row] < *chosen_by[*best]))
      best = row;
  }
  return best;
}

std::optional<double> best(Run run, const std::string& name, double factor = 1) {
  const std::optional<std::size_t> row = row_of_best(run, name);
  if (!row) return {};
  return factor * *run.evaluations->numbers(name)[*row];
}

std::optional<double> samples_of_best(Run run, const std::string& name) {
  const std::optional<std::size_t> row = row_of_best(run, name);
  if (!row || !run.evaluations->has("samples")) return {};
  return run.evaluations->positions("samples")[*row];
}

constexpr std::size_t kUsual = 8;

const std::array<ResultColumn, 25> kColumns{{
    {"steps", "steps", "local steps of a worker", Better::kLess, 0, 1,
     [](Run run) { return sum(run.rounds, "sync_interval"); }},
    {"rounds", "rounds", "synchronizations", Better::kLess, 0, 1,
     [](Run run) { return rounds(run); }},
    {"seconds", "time (s)", "wall time with evaluations", Better::kLess, kThreeDigits, 1,
     [](Run run) { return sum(run.timing, "total_seconds"); }},
    {"average_local_batch_size", "avg. local batch", "samples/(M steps)", Better::kNone,
     kThreeDigits, 1, [](Run run) { return average_local_batch_size(run); }},
    {"bytes", "MB per worker", "given to averages, the sum of method_bytes in rounds.csv",
     Better::kLess, kThreeDigits, 1e6, [](Run run) { return sum(run.rounds, "method_bytes"); }},
    {"final_train_loss", "final loss", "mean training loss before the last evaluation",
     Better::kLess, 3, 1, [](Run run) { return last(run.evaluations, "train_loss"); }},
    {"best_test_accuracy", "best test acc. (%)", "best of all evaluations, percent", Better::kMore,
     2, 1, [](Run run) { return best(run, "test_accuracy", 100); }},
    {"final_test_accuracy", "final test acc. (%)", "of the last evaluation, percent", Better::kMore,
     2, 1, [](Run run) { return last(run.evaluations, "test_accuracy", 100); }},
    {"samples", "samples", "processed by all workers", Better::kNone, 0, 1,
     [](Run run) { return samples(run); }},
    {"final_local_batch_size", "final local batch", "b of the last round", Better::kNone, 0, 1,
     [](Run run) { return last(run.rounds, "local_batch_size"); }},
    {"final_test_loss", "final test loss", "of the last evaluation (nats; F(x) of a problem)",
     Better::kLess, 3, 1, [](Run run) { return last(run.evaluations, "test_loss"); }},
    {"best_test_loss", "best test loss", "smallest of all evaluations", Better::kLess, 3, 1,
     [](Run run) { return best(run, "test_loss"); }},
    {"final_suboptimality", "final F - F*", "of the last evaluation of a problem", Better::kLess,
     kThreeDigits, 1, [](Run run) { return last(run.evaluations, "suboptimality"); }},
    {"communication_seconds", "comm. (s)",
     "averages and sums of worker 0, waiting for others included", Better::kLess, kThreeDigits, 1,
     [](Run run) { return sum(run.timing, "communication_seconds"); }},
    {"waiting_seconds", "waiting (s)", "of worker 0 for the slowest worker", Better::kLess,
     kThreeDigits, 1, [](Run run) { return sum(run.timing, "waiting_seconds"); }},
    {"final_drift", "final drift", "drift of the last round", Better::kNone, kThreeDigits, 1,
     [](Run run) { return last(run.rounds, "drift"); }},
    {"best_test_accuracy_samples", "best after (samples)",
     "when the best test accuracy was reached first", Better::kLess, 0, 1,
     [](Run run) { return samples_of_best(run, "test_accuracy"); }},
    {"final_test_perplexity", "final perplexity", "of the last evaluation of texts, exp(test loss)",
     Better::kLess, 2, 1, [](Run run) { return last(run.evaluations, "test_perplexity"); }},
    {"best_test_perplexity", "best perplexity", "smallest of all evaluations of texts",
     Better::kLess, 2, 1, [](Run run) { return best(run, "test_perplexity"); }},
    {"final_test_bits_per_byte", "final bits/byte",
     "of the last evaluation of texts: test loss in bits for each byte", Better::kLess, 3, 1,
     [](Run run) { return last(run.evaluations, "test_bits_per_byte"); }},
    {"best_test_bits_per_byte", "best bits/byte", "smallest of all evaluations of texts",
     Better::kLess, 3, 1, [](Run run) { return best(run, "test_bits_per_byte"); }},
    {"final_validation_accuracy", "final val. acc. (%)",
     "of the last evaluation on what dataset.validation holds out, percent", Better::kMore, 2, 1,
     [](Run run) { return last(run.evaluations, "validation_accuracy", 100); }},
    {"final_validation_loss", "final val. loss",
     "of the last evaluation on what dataset.validation holds out", Better::kLess, 3, 1,
     [](Run run) { return last(run.evaluations, "validation_loss"); }},
    {"final_averaged_test_accuracy", "acc. of mean over rounds (%)",
     "of the last evaluation of the mean over rounds (evaluation.averaged_over), percent",
     Better::kMore, 2, 1,
     [](Run run) { return last(run.evaluations, "averaged_test_accuracy", 100); }},
    {"final_averaged_test_loss", "loss of mean over rounds",
     "of the last evaluation of the mean over rounds (evaluation.averaged_over)", Better::kLess, 3,
     1, [](Run run) { return last(run.evaluations, "averaged_test_loss"); }},
}};

}  // namespace

std::span<const ResultColumn> result_columns() { return kColumns; }

bool is_of_best(const ResultColumn& column) { return column.name.starts_with("best_test_"); }

bool has_test_set(const FinishedRun& run) {
  return !numbers(run.evaluations, "test_accuracy").empty();
}

bool has_validation(const FinishedRun& run) {
  return !numbers(run.evaluations, "validation_loss").empty() &&
         !numbers(run.evaluations, "validation_accuracy").empty();
}

std::vector<ResultColumn> chosen_columns(std::string_view names) {
  if (names.empty()) return {kColumns.begin(), kColumns.begin() + kUsual};
  std::vector<std::string> known;
  known.reserve(kColumns.size());
  for (const ResultColumn& column : kColumns) known.emplace_back(column.name);
  std::vector<ResultColumn> chosen;
  for (const std::string& name : split(names, ',')) {
    const auto found = std::ranges::find(kColumns, name, &ResultColumn::name);
    if (found == kColumns.end())
      fail_input("--columns: found '{}', allowed is {}", name, allowed_names(name, known));
    if (std::ranges::find(chosen, name, &ResultColumn::name) != chosen.end())
      fail_input("--columns: found '{}' twice", name);
    chosen.push_back(*found);
  }
  return chosen;
}

}  // namespace localbatch
