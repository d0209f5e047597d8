#include "report/result_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <boost/math/distributions/students_t.hpp>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace localbatch {

std::optional<Sample> sample_of(const std::vector<double>& values) {
  if (values.empty()) return {};
  Sample sample{.n = static_cast<int>(values.size())};
  double sum = 0;
  for (const double value : values) sum += value;
  sample.mean = sum / sample.n;
  if (sample.n < 2) return sample;
  double squares = 0;
  for (const double value : values) squares += (value - sample.mean) * (value - sample.mean);
  sample.standard_deviation = std::sqrt(squares / (sample.n - 1));
  return sample;
}

double t_quantile(double probability, double degrees_of_freedom) {
  using namespace boost::math;
  using InDouble = policies::policy<policies::promote_double<false>>;
  return quantile(students_t_distribution<double, InDouble>(degrees_of_freedom), probability);
}

std::optional<double> noise_of_difference(const Sample& a, const Sample& b) {
  if (a.n < 2 || b.n < 2 || !a.standard_deviation || !b.standard_deviation) return {};
  const double x = *a.standard_deviation * *a.standard_deviation / a.n;
  const double y = *b.standard_deviation * *b.standard_deviation / b.n;
  if (x + y == 0) return 0;
  const double degrees = (x + y) * (x + y) / (x * x / (a.n - 1) + y * y / (b.n - 1));
  return t_quantile(0.975, degrees) * std::sqrt(x + y);
}

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

std::optional<double> largest(Columns columns, const std::string& name, double factor = 1) {
  const std::vector<double> all = numbers(columns, name);
  if (all.empty()) return {};
  return factor * *std::ranges::max_element(all);
}

std::optional<double> smallest(Columns columns, const std::string& name) {
  const std::vector<double> all = numbers(columns, name);
  if (all.empty()) return {};
  return *std::ranges::min_element(all);
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
  const std::string text = run.settings.value("workers");
  double workers = 0;
  std::from_chars(text.data(), text.data() + text.size(), workers);
  if (!all || !steps || *steps == 0 || workers == 0) return {};
  return *all / (workers * *steps);
}

/// The samples after which a column of evaluations.csv is largest for the first time.
std::optional<double> samples_of_best(Run run, const std::string& name) {
  if (!run.evaluations || !run.evaluations->has(name) || !run.evaluations->has("samples"))
    return {};
  const std::vector<std::optional<double>> values = run.evaluations->numbers(name);
  const auto best = std::ranges::max_element(values);  // nothing is less than every number
  if (best == values.end() || !*best) return {};
  return run.evaluations->positions("samples")[static_cast<std::size_t>(best - values.begin())];
}

constexpr std::size_t kUsual = 8;

constexpr std::array<ResultColumn, 21> kColumns{{
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
     2, 1, [](Run run) { return largest(run.evaluations, "test_accuracy", 100); }},
    {"final_test_accuracy", "final test acc. (%)", "of the last evaluation, percent", Better::kMore,
     2, 1, [](Run run) { return last(run.evaluations, "test_accuracy", 100); }},
    {"samples", "samples", "processed by all workers", Better::kNone, 0, 1,
     [](Run run) { return samples(run); }},
    {"final_local_batch_size", "final local batch", "b of the last round", Better::kNone, 0, 1,
     [](Run run) { return last(run.rounds, "local_batch_size"); }},
    {"final_test_loss", "final test loss", "of the last evaluation (nats; F(x) of a problem)",
     Better::kLess, 3, 1, [](Run run) { return last(run.evaluations, "test_loss"); }},
    {"best_test_loss", "best test loss", "smallest of all evaluations", Better::kLess, 3, 1,
     [](Run run) { return smallest(run.evaluations, "test_loss"); }},
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
     Better::kLess, 2, 1, [](Run run) { return smallest(run.evaluations, "test_perplexity"); }},
    {"final_test_bits_per_byte", "final bits/byte",
     "of the last evaluation of texts: test loss in bits for each byte", Better::kLess, 3, 1,
     [](Run run) { return last(run.evaluations, "test_bits_per_byte"); }},
    {"best_test_bits_per_byte", "best bits/byte", "smallest of all evaluations of texts",
     Better::kLess, 3, 1, [](Run run) { return smallest(run.evaluations, "test_bits_per_byte"); }},
}};

}  // namespace

std::span<const ResultColumn> result_columns() { return kColumns; }

std::vector<ResultColumn> chosen_columns(std::string_view names) {
  if (names.empty()) return {kColumns.begin(), kColumns.begin() + kUsual};
  std::vector<std::string> known;
  known.reserve(kColumns.size());
  for (const ResultColumn& column : kColumns) known.emplace_back(column.name);
  std::vector<ResultColumn> chosen;
  while (true) {
    const std::string_view name = names.substr(0, names.find(','));
    const auto found = std::ranges::find(kColumns, name, &ResultColumn::name);
    if (found == kColumns.end())
      fail_input("--columns: found '{}', allowed is {}", name, allowed_names(name, known));
    if (std::ranges::find(chosen, name, &ResultColumn::name) != chosen.end())
      fail_input("--columns: found '{}' twice", name);
    chosen.push_back(*found);
    if (name.size() == names.size()) return chosen;
    names.remove_prefix(name.size() + 1);
  }
}

std::string sample_text(const ResultColumn& column, const Sample& sample) {
  const double mean = sample.mean / column.divisor;
  const double deviation = sample.standard_deviation.value_or(0) / column.divisor;
  int decimals = column.decimals;
  const double size = std::abs(mean);
  if (decimals == kThreeDigits)
    decimals = size > 0 && std::isfinite(size)
                   ? std::clamp(2 - static_cast<int>(std::floor(std::log10(size))), 0, 9)
                   : 0;
  else if (decimals == 0 && (mean != std::floor(mean) || deviation != std::floor(deviation)))
    decimals = 1;
  std::string text = fmt::format("{:.{}f}", mean, decimals);
  if (sample.standard_deviation) text += fmt::format(" ± {:.{}f}", deviation, decimals);
  return text;
}

namespace {

/// A run that has diverged has no figure.
TableEntry merged(const ResultCell& cell, Counted counted, const ResultColumn& column) {
  if (counted == Counted::kDiverged) return {};
  std::vector<double> values;
  for (const SeedRun& run : cell.runs) {
    if (!counts(run.run, counted)) continue;
    const std::optional<double> value = column.value(run.run);
    if (value) values.push_back(*value);
  }
  return {.sample = sample_of(values), .so_far = counted == Counted::kUnfinished};
}

/// Entries of one column and group that take part, the best one first.
std::vector<TableEntry*> ranking(ResultTable& table, std::size_t group, std::size_t column) {
  std::vector<TableEntry*> ranked;
  for (std::size_t i = 0; i < table.entries.size(); ++i) {
    const ResultCell& cell = table.results.cells[i];
    TableEntry& entry = table.entries[i][column];
    if (cell.group == group && entry.sample && !entry.so_far && std::isfinite(entry.sample->mean) &&
        count_of(cell, RunStatus::kDiverged) == 0)
      ranked.push_back(&entry);
  }
  const bool less = table.columns[column].better == ResultColumn::Better::kLess;
  std::ranges::stable_sort(ranked, [less](const TableEntry* a, const TableEntry* b) {
    return less ? a->sample->mean < b->sample->mean : a->sample->mean > b->sample->mean;
  });
  return ranked;
}

void mark_best(ResultTable& table, std::size_t group, std::size_t column) {
  if (table.columns[column].better == ResultColumn::Better::kNone) return;
  const std::vector<TableEntry*> ranked = ranking(table, group, column);
  if (ranked.size() < 2) return;
  const Sample &first = *ranked[0]->sample, &second = *ranked[1]->sample;
  const std::optional<double> noise = noise_of_difference(first, second);
  ranked[0]->best = noise && std::abs(first.mean - second.mean) > *noise;
}

}  // namespace

int count_of(const ResultCell& cell, RunStatus status) {
  return static_cast<int>(std::ranges::count_if(
      cell.runs, [status](const SeedRun& run) { return run.run.status == status; }));
}

ResultTable make_table(Results results, std::vector<ResultColumn> columns) {
  ResultTable table{.results = std::move(results), .columns = std::move(columns), .entries = {}};
  for (const ResultCell& cell : table.results.cells) {
    std::vector<TableEntry>& entries = table.entries.emplace_back();
    const Counted counted = counted_runs(table.results, cell);
    for (const ResultColumn& column : table.columns)
      entries.push_back(merged(cell, counted, column));
  }
  for (std::size_t group = 0; group < table.results.groups.size(); ++group)
    for (std::size_t column = 0; column < table.columns.size(); ++column)
      mark_best(table, group, column);
  return table;
}

}  // namespace localbatch
