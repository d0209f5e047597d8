#include "report/curves_table.h"

#include <algorithm>
#include <vector>

#include "core/csv.h"
#include "report/results.h"

namespace localbatch {

namespace {

/// A run that has points, with what its rows begin with.
struct LabelledCurve {
  std::vector<std::string> labels;
  const CsvColumns* columns;
};

std::vector<LabelledCurve> curves_in(const Results& results, CurvesOf kind) {
  std::vector<LabelledCurve> curves;
  for (const ResultCell& cell : results.cells)
    for (const SeedRun& seed_run : cell.runs) {
      const FinishedRun& run = seed_run.run;
      const auto& columns = kind == CurvesOf::kRounds ? run.rounds : run.evaluations;
      if (!columns || !(has_ended(run.status) || results.unfinished)) continue;
      curves.push_back(
          {.labels = {run.settings.value("experiment"), run.folder, results.rows[cell.row],
                      results.groups[cell.group], seed_run.seed},
           .columns = &*columns});
    }
  return curves;
}

/// In the order in which they come first.
std::vector<std::string> names_of_all(const std::vector<LabelledCurve>& curves) {
  std::vector<std::string> names;
  for (const LabelledCurve& curve : curves)
    for (const std::string& name : curve.columns->names())
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  return names;
}

std::string lines_of(const LabelledCurve& curve, const std::vector<std::string>& names) {
  const std::vector<std::string> none(curve.columns->num_rows());
  std::vector<const std::vector<std::string>*> columns;
  columns.reserve(names.size());
  for (const std::string& name : names)
    columns.push_back(curve.columns->has(name) ? &curve.columns->cells(name) : &none);
  std::string lines;
  std::vector<std::string> cells;
  for (std::size_t row = 0; row < curve.columns->num_rows(); ++row) {
    cells = curve.labels;
    for (const std::vector<std::string>* column : columns) cells.push_back((*column)[row]);
    lines += csv_line(cells);
  }
  return lines;
}

}  // namespace

std::string curves_table(const Results& results, CurvesOf kind) {
  const std::vector<LabelledCurve> curves = curves_in(results, kind);
  const std::vector<std::string> names = names_of_all(curves);
  std::vector<std::string> header{"experiment", "folder", "schedule", "H", "seed"};
  header.insert(header.end(), names.begin(), names.end());
  std::string csv = csv_line(header);
  for (const LabelledCurve& curve : curves) csv += lines_of(curve, names);
  return csv;
}

}  // namespace localbatch
