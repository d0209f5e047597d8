#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "doctor/doctor.h"
#include "run/run_experiment.h"
#include "run/run_sweep.h"

namespace localbatch {

/// "42 s", "3 min 05 s", "2 h 10 min".
std::string duration(double seconds);

/// What a person wants to see of a run, beside warnings and errors.
enum class Shown {
  kNothing,
  kEnds,         ///< what begins and what came out
  kEvaluations,  ///< and a line for each evaluation
  kUsual,        ///< and between them, on a terminal, a line that is redrawn, or one a minute
  kRounds        ///< the same, but where there is no terminal, one every five seconds
};

/// The line of an evaluation, of a hundred columns at most while numbers are not enormous.
std::string evaluation_line(const RunProgress& progress, const EvaluationRow& row);

/// Shows a run to a person. A file never sees a control character.
class ProgressPrinter {
 public:
  /// `force`: the command replaces results, and would do so again.
  explicit ProgressPrinter(Shown shown, bool force = false);

  /// Callbacks that print; valid as long as this object.
  RunEvents events();

  void print_result(const RunResult& result) const;

 private:
  void print_start(const RunStart& start);
  void print_progress(const RunProgress& progress);
  void print_evaluation(const RunProgress& progress, const EvaluationRow& row);

  /// In logs a line comes now and then where nothing else is printed.
  double seconds_between_lines() const;

  Shown shown_;
  bool force_;
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

/// A finding of the doctor, with its advice on a line of its own; `where` stands before its text.
void print_finding(const Diagnosis& found, std::string_view where = {});

/// For one of several pictures of the same thing, one after the other: a terminal is cleared, a log
/// gets a line with the time between them.
void begin_picture(bool is_first);

/// "cell 3 (schedule=constant 32, H=8, seed=1)".
std::string title_of(const CellProgress& cell);

/// Shows a sweep to a person: what is to be done, then each cell as ProgressPrinter shows a run.
/// The callbacks are valid as long as the object.
class SweepPrinter {
 public:
  SweepPrinter(Shown shown, bool force) : shown_(shown), run_(shown, force) {}

  SweepEvents events();

 private:
  Shown shown_;
  ProgressPrinter run_;
};

}  // namespace localbatch
