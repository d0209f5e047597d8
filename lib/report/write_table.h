#pragma once

#include <string>
#include <string_view>

#include "report/table_text.h"

namespace localbatch {

/// Bytes follow from the page only.
std::string to_markdown(const TablePage& page);

/// Plain tabular environments to be \input, without packages; notes below them, runs as comments.
/// In the input encoding UTF-8.
std::string to_latex(const TablePage& page);

/// The body of a section of a page, from tables to runs.
std::string to_html(const TablePage& page);

/// What these formats make of a text of a person.
std::string escaped_for_markdown(std::string_view text);
std::string escaped_for_latex(std::string_view text);
std::string escaped_for_html(std::string_view text);

}  // namespace localbatch
