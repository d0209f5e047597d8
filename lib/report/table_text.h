#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "report/result_table.h"

namespace localbatch {

/// A table as texts, before a format has given them their signs.
struct TextTable {
  struct Cell {
    std::string text;
    bool best = false;
    std::vector<int> notes = {};  ///< numbers of notes, from 1
  };

  /// Columns that belong together, behind the first one.
  struct Group {
    std::string title;
    std::size_t num_columns = 0;
  };

  std::vector<Group> groups;
  std::vector<std::string> head;
  std::vector<std::vector<Cell>> rows;
};

/// Tables about one thing, behind a sentence that says which.
struct TableSection {
  std::string title;
  std::vector<TextTable> tables;
};

/// All that is to be read, in the order in which it is read.
struct TablePage {
  std::string title;
  std::vector<TextTable> tables;
  std::vector<std::string> notes;  ///< why runs failed; the first one is number 1
  std::vector<std::string> legend, remarks;
  TableSection differences = {};      ///< to one row of the tables, for who asks for them
  std::vector<TextTable> references;  ///< one at most
  std::vector<std::string> runs;      ///< where each figure comes from
};

/// The page without differences and references.
TablePage page_of(const ResultTable& table);

/// The cells of a row in one group: how many runs there are, then one for each column. None where
/// there is nothing to tell.
using CellsOf = std::function<std::vector<TextTable::Cell>(std::size_t row, std::size_t group)>;

/// The rows of the table against its groups, which stand beside each other while they have few
/// columns together, else each in a table of its own. Rows without cells in a table are left out.
std::vector<TextTable> grids_of(const ResultTable& table, const CellsOf& cells_of);

/// "finished", "diverged", "missing", "failed", "unfinished, 41 %".
std::string status_text(const FinishedRun& run);

/// "9074cacc5db0", "version not recorded".
std::string origin_text(const FinishedRun& run);

}  // namespace localbatch
