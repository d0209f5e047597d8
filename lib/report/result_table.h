#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/result_columns.h"
#include "report/results.h"

namespace localbatch {

/// The mean and deviation of a quantity over the seeds that it was measured with.
struct Sample {
  double mean = 0;
  std::optional<double> standard_deviation = {};  ///< divisor n - 1; nothing for n = 1
  int n = 0;
};

/// The sample of these values, if there are any.
std::optional<Sample> sample_of(const std::vector<double>& values);

/// The quantile of Student's t distribution; `degrees_of_freedom` need not be whole.
double t_quantile(double probability, double degrees_of_freedom);

/// How far two means may lie apart by the noise of their seeds: half of the two-sided 95 %
/// confidence interval of their difference by Welch 1947, t_{0.975, f} sqrt(s1^2/n1 + s2^2/n2) with
/// f = (s1^2/n1 + s2^2/n2)^2 / ((s1^2/n1)^2/(n1 - 1) + (s2^2/n2)^2/(n2 - 1)). Nothing when one of
/// them has a single seed, or an unknown deviation.
std::optional<double> noise_of_difference(const Sample& a, const Sample& b);

/// As many decimals as show a figure of a column in the unit of its title: those of the column, or
/// for kThreeDigits as many as its `size` asks for, or one where none would do but the figure is
/// not whole.
int decimals_of(const ResultColumn& column, double size, bool is_whole);

/// "124 ± 2" or "91.25", of figures in the unit of table.csv.
std::string sample_text(const ResultColumn& column, const Sample& sample);

/// A figure of a cell.
struct TableEntry {
  std::optional<Sample> sample = {};  ///< over the runs that have finished, without those that
                                      ///< never reach a target; nothing: none, or not recorded
  int never = 0;                      ///< such runs that do not reach the target of the column
  bool so_far = false;  ///< no run has: over the unfinished ones, which the results ask for
  bool best = false;    ///< of its column and group, by more than the noise of the seeds
};

struct ResultTable {
  Results results;
  std::vector<ResultColumn> columns;
  std::vector<std::vector<TableEntry>> entries;  ///< by cell, then by column
};

/// Merges the seeds and marks the best of each column and group: when its mean differs from the
/// second best one by more than noise_of_difference(). A cell in which a run has diverged, or does
/// not reach the target, takes no part.
ResultTable make_table(Results results, std::vector<ResultColumn> columns);

/// The target that columns of the table are about; empty when there is none.
std::string target_of(const ResultTable& table);

/// What the best evaluations of runs were chosen on; see is_of_best().
struct ChosenOn {
  bool test = false, validation = false;
};

/// Of the runs that a cell's figures are of.
ChosenOn chosen_on(const Results& results, const ResultCell& cell);

/// Of all cells; neither when the table has no such column.
ChosenOn chosen_on(const ResultTable& table);

/// "test", "validation", "test; validation", or nothing.
std::string text_of(const ChosenOn& chosen);

/// How many runs of a cell have a status.
int count_of(const ResultCell& cell, RunStatus status);

}  // namespace localbatch
