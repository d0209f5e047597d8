#pragma once

#include <string>
#include <vector>

#include "report/results.h"
#include "report/table_text.h"

namespace localbatch {

/// A drawing for a page: an SVG element with a line of text.
struct PageFigure {
  std::string caption, svg;
};

/// One page that needs no other file: tables, figures, settings that differ between rows and
/// settings that all runs have, machines and versions, and all runs with their states. Readable on
/// light and dark screens and on paper.
std::string html_page(const Results& results, const TablePage& table,
                      const std::vector<PageFigure>& figures);

}  // namespace localbatch
