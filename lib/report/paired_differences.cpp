#include "report/paired_differences.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/csv.h"
#include "core/error.h"
#include "core/text.h"

namespace localbatch {

namespace {

/// Two finished runs of the same seed.
struct RunPair {
  const SeedRun *run, *other;
};

std::vector<RunPair> pairs_of(const ResultCell& cell, const ResultCell& other) {
  std::vector<RunPair> pairs;
  for (const SeedRun& run : cell.runs) {
    const auto same = std::ranges::find(other.runs, run.seed, &SeedRun::seed);
    if (same != other.runs.end() && counts(run.run, Counted::kFinished) &&
        counts(same->run, Counted::kFinished))
      pairs.push_back({.run = &run, .other = &*same});
  }
  return pairs;
}

std::optional<PairedDifference> difference_of(const std::vector<RunPair>& pairs,
                                              const ResultColumn& column) {
  PairedDifference found;
  std::vector<double> differences;
  for (const RunPair& pair : pairs) {
    const std::optional<double> x = column.value(pair.run->run), y = column.value(pair.other->run);
    if (!x || !y || !std::isfinite(*x) || !std::isfinite(*y)) continue;
    differences.push_back(*x - *y);
    found.seeds.push_back(pair.run->seed);
  }
  const std::optional<Sample> sample = sample_of(differences);
  if (!sample) return {};
  found.mean = sample->mean;
  if (sample->standard_deviation)
    found.margin = t_quantile(0.975, sample->n - 1) * *sample->standard_deviation /
                   std::sqrt(static_cast<double>(sample->n));
  return found;
}

}  // namespace

Differences differences_to(const std::string& row, const ResultTable& table) {
  const Results& results = table.results;
  const auto named = std::ranges::find(results.rows, row);
  if (named == results.rows.end())
    fail_input("--against: found '{}', allowed is {}", row, allowed_names(row, results.rows));
  if (results.rows.size() == 1)
    fail_input("--against: found '{}', which is the only row, expected one of several", row);
  const auto against = static_cast<std::size_t>(named - results.rows.begin());
  Differences differences{.against = row, .rows = {}};
  for (std::size_t i = 0; i < results.cells.size(); ++i) {
    const ResultCell& cell = results.cells[i];
    if (cell.row == against) continue;
    RowDifferences& found = differences.rows.emplace_back();
    found.cell = i;
    const std::optional<std::size_t> other = cell_at(results, against, cell.group);
    const std::vector<RunPair> pairs =
        other ? pairs_of(cell, results.cells[*other]) : std::vector<RunPair>();
    for (const RunPair& pair : pairs) found.seeds.push_back(pair.run->seed);
    for (const ResultColumn& column : table.columns)
      found.figures.push_back(difference_of(pairs, column));
  }
  return differences;
}

namespace {

/// "-9.80 (-12.96 to -6.64)"; digits are those of the largest of the three numbers, as a mean near
/// zero would ask for many.
std::string difference_text(const ResultColumn& column, const PairedDifference& difference) {
  const double mean = difference.mean / column.divisor;
  const double margin = difference.margin.value_or(0) / column.divisor;
  const bool is_whole = mean == std::floor(mean) && margin == std::floor(margin);
  const int decimals = decimals_of(column, std::abs(mean) + margin, is_whole);
  std::string text = fmt::format("{:+.{}f}", mean, decimals);
  if (difference.margin)
    text +=
        fmt::format(" ({:+.{}f} to {:+.{}f})", mean - margin, decimals, mean + margin, decimals);
  return text;
}

/// How many pairs there are, and the differences.
std::vector<TextTable::Cell> cells_of(const RowDifferences& row,
                                      const std::vector<ResultColumn>& columns) {
  std::vector<TextTable::Cell> cells{{.text = fmt::format("{}", row.seeds.size())}};
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::optional<PairedDifference>& figure = row.figures[i];
    std::string text = figure ? difference_text(columns[i], *figure) : "-";
    if (figure && figure->seeds.size() < row.seeds.size())
      text += fmt::format(", n = {}", figure->seeds.size());
    cells.push_back({.text = std::move(text)});
  }
  return cells;
}

}  // namespace

TableSection section_of(const Differences& differences, const ResultTable& table) {
  const auto cells_at = [&](std::size_t row, std::size_t group) {
    const auto found = std::ranges::find_if(differences.rows, [&](const RowDifferences& other) {
      const ResultCell& cell = table.results.cells[other.cell];
      return cell.row == row && cell.group == group;
    });
    return found == differences.rows.end() ? std::vector<TextTable::Cell>()
                                           : cells_of(*found, table.columns);
  };
  return {.title = fmt::format("Difference to {}, over the n pairs of finished runs with the same "
                               "H and seed: mean (95 % interval by Student's t with n - 1 degrees "
                               "of freedom; none for one pair); -: no pair has the figure.",
                               differences.against),
          .tables = grids_of(table, cells_at)};
}

std::string to_csv(const Differences& differences, const ResultTable& table) {
  std::string csv = csv_line({"schedule", "H", "against", "column", "pairs", "seeds",
                              "mean_difference", "interval_low", "interval_high"});
  for (const RowDifferences& row : differences.rows) {
    const ResultCell& cell = table.results.cells[row.cell];
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      std::vector<std::string> line{table.results.rows[cell.row], table.results.groups[cell.group],
                                    differences.against, std::string(table.columns[i].name)};
      const PairedDifference figure = row.figures[i].value_or(PairedDifference());
      line.push_back(fmt::format("{}", figure.seeds.size()));
      line.push_back(join(figure.seeds, "; "));
      line.push_back(row.figures[i] ? fmt::format("{}", figure.mean) : "");
      for (const int sign : {-1, 1})
        line.push_back(figure.margin ? fmt::format("{}", figure.mean + sign * *figure.margin) : "");
      csv += csv_line(line);
    }
  }
  return csv;
}

}  // namespace localbatch
