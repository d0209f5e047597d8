#pragma once

#include "report/curves_data.h"

namespace localbatch {

/// What each controller that looks on (`shadow_controllers`) wants, against samples: a panel for
/// each run that make_figure() would show and that has a controllers.csv, a line for each
/// controller, the median of `smooth` rounds in place of each; less than one sample is drawn as
/// one. Beside them the local batch that was used and, where branches of the run have
/// measured it (critical_batch_sizes.csv), the critical one, with a band from the smallest to the
/// largest of its repeats. The other runs are remarks. Throws an InputError that
/// names the file for one that is damaged.
Figure controllers_figure(const Results& results, int smooth);

}  // namespace localbatch
