#pragma once

#include "experiment/run_experiment.h"

namespace localbatch {

/// Shows a run to a person: one line per evaluation, and between them, on a terminal only, a line
/// that is redrawn in place. A file never sees a control character.
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
  double redrawn_ = -1;  ///< seconds into the run
};

}  // namespace localbatch
