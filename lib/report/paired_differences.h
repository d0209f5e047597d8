#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "report/result_table.h"
#include "report/table_text.h"

namespace localbatch {

/// A figure of one row less that of another, over pairs of runs: those with the same seed, which
/// begin with the same weights and draw the same samples, so that the noise that both have in
/// common is in no difference.
struct PairedDifference {
  std::vector<std::string> seeds;  ///< of the pairs
  double mean = 0;                 ///< in the unit of table.csv
  /// Half of the two-sided 95 % confidence interval of the mean (Student, Biometrika 6, 1908):
  /// t_{0.975, n - 1} s / sqrt(n) with n pairs and the deviation s of their differences. Nothing
  /// for one pair.
  std::optional<double> margin;
};

/// A row of a table beside the row that it is compared with.
struct RowDifferences {
  std::size_t cell = 0;            ///< in the results
  std::vector<std::string> seeds;  ///< those with which both rows have finished at its H
  std::vector<std::optional<PairedDifference>> figures;  ///< by column; nothing: no pair has both
};

struct Differences {
  std::string against;               ///< the row that is taken from all others
  std::vector<RowDifferences> rows;  ///< all cells of other rows, in the order of the results
};

/// The differences of all rows to one of them. A pair has two finished runs of the same H and seed
/// that both have the figure; a run that never reaches a target has none. Throws an InputError for
/// a row that the table does not have, and for the only one.
Differences differences_to(const std::string& row, const ResultTable& table);

/// What stands below the table; its groups are beside each other as those of the table are.
TableSection section_of(const Differences& differences, const ResultTable& table);

/// A line for each row, H and column: schedule,H,against,column,pairs,seeds,mean_difference,
/// interval_low,interval_high in the units of table.csv; an empty cell is not known.
std::string to_csv(const Differences& differences, const ResultTable& table);

}  // namespace localbatch
