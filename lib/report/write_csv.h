#pragma once

#include <string>

#include "report/result_table.h"

namespace localbatch {

/// A line for each cell: schedule, H, how many runs are in each state, n, the seeds, means and
/// deviations of all columns in the units of result_columns(), marks of the best, and the folders
/// and commits of the runs. Several values in a cell are separated by "; "; an empty cell is not
/// known.
std::string to_csv(const ResultTable& table);

}  // namespace localbatch
