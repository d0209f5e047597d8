#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/result_columns.h"
#include "report/results.h"
#include "report/statistics.h"

namespace localbatch {

/// A figure of a cell.
struct TableEntry {
  std::optional<Sample> sample = {};  ///< over the runs that have finished; nothing: none, or not
                                      ///< recorded
  bool best = false;  ///< of its column and group, by more than the noise of the seeds
};

struct ResultTable {
  Results results;
  std::vector<ResultColumn> columns;
  std::vector<std::vector<TableEntry>> entries;  ///< by cell, then by column
};

/// Merges the seeds and marks the best of each column and group: when its mean differs from the
/// second best one by more than noise_of_difference(). A cell in which a run has diverged takes no
/// part.
ResultTable make_table(Results results, std::vector<ResultColumn> columns);

/// How many runs of a cell are in a state.
int count_of(const ResultCell& cell, RunState state);

}  // namespace localbatch
