#pragma once

#include <cstddef>
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

/// All that is to be read, in the order in which it is read.
struct TablePage {
  std::string title;
  std::vector<TextTable> tables;
  std::vector<std::string> notes;  ///< why runs failed; the first one is number 1
  std::vector<std::string> legend, remarks;
  std::vector<TextTable> references;  ///< one at most
  std::vector<std::string> runs;      ///< where each figure comes from
};

/// Groups stand beside each other while they have few columns together, else below each other.
TablePage page_of(const ResultTable& table);

/// "finished", "diverged", "missing", "failed", "unfinished, 41 %".
std::string status_text(const FinishedRun& run);

/// "9074cacc5db0", "version not recorded".
std::string origin_text(const FinishedRun& run);

}  // namespace localbatch
