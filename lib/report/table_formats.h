#pragma once

#include <string>
#include <string_view>

#include "report/result_table.h"
#include "report/table_text.h"

namespace localbatch {

/// Bytes follow from the page only.
std::string to_markdown(const TablePage& page);

/// Plain tabular environments to be \input, without packages; notes below them, runs as comments.
/// In the input encoding UTF-8.
std::string to_latex(const TablePage& page);

/// The body of a section of a page, from tables to runs.
std::string to_html(const TablePage& page);

/// A text as it is written in these formats.
std::string escaped_for_markdown(std::string_view text);
std::string escaped_for_latex(std::string_view text);
std::string escaped_for_html(std::string_view text);

/// A line for each cell: schedule, H, how many runs are in each state, n, the seeds, means and
/// deviations of all columns in the units of result_columns(), marks of the best and of what is of
/// unfinished runs, how many reach a target and how many do not, what the best evaluations were
/// chosen on, and the folders and commits of the runs. Several values in a cell are separated by
/// "; "; an empty cell is not known.
std::string to_csv(const ResultTable& table);

}  // namespace localbatch
