#include "report/result_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <utility>

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
  const double deviation = std::sqrt(squares / (sample.n - 1));
  if (std::isfinite(deviation)) sample.standard_deviation = deviation;  // not with infinite values
  return sample;
}

double t_quantile(double probability, double degrees_of_freedom) {
  using namespace boost::math;
  using InDouble = policies::policy<policies::promote_double<false>>;
  return quantile(students_t_distribution<double, InDouble>(degrees_of_freedom), probability);
}

std::optional<double> noise_of_difference(const Sample& a, const Sample& b) {
  if (a.n < 2 || b.n < 2 || !a.standard_deviation || !b.standard_deviation) return {};
  const double x = *a.standard_deviation / std::sqrt(a.n);
  const double y = *b.standard_deviation / std::sqrt(b.n);
  const double noise = std::hypot(x, y);
  if (noise == 0) return 0;
  if (!std::isfinite(noise)) return {};
  const double p = std::pow(x / noise, 4) / (a.n - 1), q = std::pow(y / noise, 4) / (b.n - 1);
  return t_quantile(0.975, 1 / (p + q)) * noise;
}

int decimals_of(const ResultColumn& column, double size, bool is_whole) {
  if (column.decimals != kThreeDigits)
    return column.decimals == 0 && !is_whole ? 1 : column.decimals;
  if (!(size > 0) || !std::isfinite(size)) return 0;
  return std::clamp(2 - static_cast<int>(std::floor(std::log10(size))), 0, 9);
}

std::string sample_text(const ResultColumn& column, const Sample& sample) {
  const double mean = sample.mean / column.divisor;
  const double deviation = sample.standard_deviation.value_or(0) / column.divisor;
  const bool is_whole = mean == std::floor(mean) && deviation == std::floor(deviation);
  if (std::abs(mean) >= 1e15) return fmt::format("{:.3g}", mean);
  const int decimals = decimals_of(column, std::abs(mean), is_whole);
  std::string text = fmt::format("{:.{}f}", mean, decimals);
  if (sample.standard_deviation) text += fmt::format(" ± {:.{}f}", deviation, decimals);
  return text;
}

namespace {

/// A run that has diverged has no figure.
TableEntry merged(const ResultCell& cell, Counted counted, const ResultColumn& column) {
  if (counted == Counted::kDiverged) return {};
  std::vector<double> values;
  int never = 0;
  for (const SeedRun& run : cell.runs) {
    if (!counts(run.run, counted)) continue;
    const std::optional<double> value = column.value(run.run);
    if (!value) continue;
    if (!column.target.empty() && *value == kNever)
      ++never;
    else
      values.push_back(*value);
  }
  return {.sample = sample_of(values), .never = never, .so_far = counted == Counted::kUnfinished};
}

/// Entries of one column and group that take part, the best one first.
std::vector<TableEntry*> ranking(ResultTable& table, std::size_t group, std::size_t column) {
  std::vector<TableEntry*> ranked;
  for (std::size_t i = 0; i < table.entries.size(); ++i) {
    const ResultCell& cell = table.results.cells[i];
    TableEntry& entry = table.entries[i][column];
    if (cell.group == group && entry.sample && entry.never == 0 && !entry.so_far &&
        std::isfinite(entry.sample->mean) && count_of(cell, RunStatus::kDiverged) == 0)
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

std::string target_of(const ResultTable& table) {
  for (const ResultColumn& column : table.columns)
    if (!column.target.empty()) return column.target;
  return {};
}

ChosenOn chosen_on(const Results& results, const ResultCell& cell) {
  ChosenOn chosen;
  const Counted counted = counted_runs(results, cell);
  if (counted == Counted::kDiverged) return chosen;
  for (const SeedRun& run : cell.runs) {
    if (!counts(run.run, counted) || !has_test_set(run.run)) continue;
    (has_validation(run.run) ? chosen.validation : chosen.test) = true;
  }
  return chosen;
}

ChosenOn chosen_on(const ResultTable& table) {
  ChosenOn chosen;
  if (!std::ranges::any_of(table.columns, is_of_best)) return chosen;
  for (const ResultCell& cell : table.results.cells) {
    const ChosenOn of_cell = chosen_on(table.results, cell);
    chosen.test = chosen.test || of_cell.test;
    chosen.validation = chosen.validation || of_cell.validation;
  }
  return chosen;
}

std::string text_of(const ChosenOn& chosen) {
  if (!chosen.validation) return chosen.test ? "test" : "";
  return chosen.test ? "test; validation" : "validation";
}

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
