#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/curves_data.h"

namespace localbatch {

/// Runs `gnuplot script` in a folder. Throws an InputError that names the package when gnuplot is
/// not installed, and a SystemError with its message when it fails.
void run_gnuplot(const std::filesystem::path& folder, const std::string& script);

/// Writes data, script and pictures of a figure into a folder that exists. The bytes follow from
/// the figure, gnuplot's version and the fonts: the date that the PDF terminal writes whatever one
/// tells it is replaced.
void draw(const Figure& figure, const std::vector<std::string>& formats,
          const std::filesystem::path& folder);

/// The same as the text of an SVG element, to stand in an HTML page with others: without the XML
/// declaration, and with names of its own that begin with `prefix`.
std::string inline_svg(const Figure& figure, const std::string& prefix);

}  // namespace localbatch
