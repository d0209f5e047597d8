#pragma once

#include <vector>

#include "experiment/run_sweep.h"
#include "progress_printer.h"

namespace localbatch {

/// "39 cells: 12 finished, 1 failed, 26 to do; 2 h 10 min left at the speed so far".
void print_sum(const std::vector<CellStatus>& cells);

/// The cells of a sweep as a table, coordinates, state, progress, with their sum below it.
void print_cells(const std::vector<CellStatus>& cells);

/// "cell 3 (schedule=constant 32, H=8, seed=1)".
std::string title_of(const CellStatus& cell);

/// Shows a sweep to a person: what is to be done, then each cell as ProgressPrinter shows a run.
/// The callbacks are valid as long as the object.
class SweepPrinter {
 public:
  SweepEvents events();

 private:
  ProgressPrinter run_;
};

}  // namespace localbatch
