#pragma once

#include <string>
#include <vector>

#include "report/curves_data.h"

namespace localbatch {

// Gnuplot's commands for the axes of a figure. Ranges and marks follow from the data, as gnuplot's
// own would end axes at the next mark, and write numbers into each other.

/// The y axis, which is the same for all panels, with some room.
std::string y_axis(const Figure& figure);

/// Letters of the longest number along the y axis.
int longest_y_label(const Figure& figure);

/// The commands for the x axis: those before all panels, and those before each panel.
struct XAxis {
  std::string common;
  std::vector<std::string> panels;
};

/// From zero to where each panel ends; a logarithmic one is the same for all panels.
XAxis x_axis(const Figure& figure);

}  // namespace localbatch
