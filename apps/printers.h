#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "run/run_experiment.h"
#include "run/run_sweep.h"

namespace localbatch {

/// "42 s", "3 min 05 s", "2 h 10 min".
std::string duration(double seconds);

/// Shows a run to a person: one line per evaluation, and between them, on a terminal, a line that
/// is redrawn in place, or in a log a line a minute. A file never sees a control character.
class ProgressPrinter {
 public:
  ProgressPrinter();

  /// Callbacks that print; valid as long as this object.
  RunEvents events();

  void print_result(const RunResult& result) const;

 private:
  void print_start(const RunStart& start);
  void print_progress(const RunProgress& progress);
  void print_evaluation(const RunProgress& progress, const EvaluationRow& row);

  bool terminal_;
  double printed_ = 0;  ///< when the last line was, in seconds into the run
};

/// "39 cells: 12 finished, 1 failed, 26 to do; 2 h 10 min left at the speed so far".
void print_sum(const std::vector<CellProgress>& cells);

/// The cells of a sweep, or runs in a folder, as a table: coordinates, state, progress, with their
/// sum below it.
void print_cells(const std::vector<CellProgress>& cells);

/// "waiting", "running", "stopped", "finished", "diverged", "failed"; "started" where nobody can
/// tell whether a process still works on it.
std::string_view state_of(const CellProgress& cell);

/// "cell 3 (schedule=constant 32, H=8, seed=1)".
std::string title_of(const CellProgress& cell);

/// Shows a sweep to a person: what is to be done, then each cell as ProgressPrinter shows a run.
/// The callbacks are valid as long as the object.
class SweepPrinter {
 public:
  SweepEvents events();

 private:
  ProgressPrinter run_;
};

}  // namespace localbatch
