#pragma once

#include <string>
#include <vector>

#include "report/curves_data.h"

namespace localbatch {

/// "test_accuracy_against_samples": what the files of a figure are called.
std::string name_of(const FigureAxes& axes);

/// A script for gnuplot 5.4 or later that draws `<name>.<format>` from `<name>.csv` in the folder
/// where it runs: a panel for each H with the same y axis, a line for each schedule, the mean over
/// seeds with a band from the smallest to the largest. Lines differ in colour (Okabe and Ito 2008,
/// readable for the colour-blind), dashes and points. Formats: svg, png, pdf.
std::string script_of(const Figure& figure, const std::vector<std::string>& formats);

}  // namespace localbatch
