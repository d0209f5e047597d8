#pragma once

#include <functional>
#include <string>
#include <vector>

#include "printers.h"
#include "run/run_sweep.h"

namespace localbatch {

/// How cells that ran in processes of their own have ended.
struct CellJobs {
  bool stopped = false;
  std::vector<int> statuses;  ///< exit statuses, of 128 + its number after a signal
};

/// Runs this program once for each of the cells with the arguments that it is given for it, `jobs`
/// at a time, each process on its share of the cores that this one may use. Prints a line when one
/// begins or ends; where evaluations or rounds were asked for, what the processes print as well,
/// behind the number of the cell. What goes wrong is said by the processes themselves on standard
/// error. A signal to stop is passed on. There are at least as many cores as jobs.
CellJobs run_cell_jobs(
    const std::vector<CellProgress>& cells, int jobs, Shown shown,
    const std::function<std::vector<std::string>(const CellProgress&)>& arguments);

}  // namespace localbatch
