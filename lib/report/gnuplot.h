#pragma once

#include <filesystem>
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

/// Runs `gnuplot script` in a folder. Throws an InputError that names the package when gnuplot is
/// not installed, and a SystemError with its message when it fails.
void run_gnuplot(const std::filesystem::path& folder, const std::string& script);

/// Writes data, script and pictures of a figure into a folder that exists. The bytes follow from
/// the figure, gnuplot's version and the fonts: the date that the PDF terminal writes whatever one
/// tells it is replaced, where cairo older than 1.18 leaves it readable.
void draw(const Figure& figure, const std::vector<std::string>& formats,
          const std::filesystem::path& folder);

/// The figure as the text of an SVG element, to stand in an HTML page with others: without the XML
/// declaration, and with names of its own that begin with `prefix`.
std::string inline_svg(const Figure& figure, const std::string& prefix);

}  // namespace localbatch
