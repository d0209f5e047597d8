#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "report/finished_run.h"

namespace localbatch {

/// One quantity of a run for a table.
struct ResultColumn {
  enum class Better { kNone, kLess, kMore };

  std::string name;     ///< of --columns and of table.csv
  std::string title;    ///< in tables, with the unit
  std::string meaning;  ///< with the unit of table.csv
  Better better = Better::kNone;
  int decimals = 0;    ///< in tables; kThreeDigits: as many as show three digits
  double divisor = 1;  ///< from the unit of table.csv to that of the title
  /// Nothing: its files do not say; kNever: it does not reach the target.
  std::function<std::optional<double>(const FinishedRun&)> value = {};
  std::string target = {};  ///< "test_accuracy >= 0.9"; empty for what is not about reaching one
};

inline constexpr int kThreeDigits = -1;
/// What a run has spent when it reaches a target that it never reaches.
inline constexpr double kNever = std::numeric_limits<double>::infinity();

std::span<const ResultColumn> result_columns();

/// The columns of a list of names such as "rounds,bytes"; without a list the usual ones. Throws an
/// InputError for a name that does not exist or comes twice.
std::vector<ResultColumn> chosen_columns(std::string_view names);

}  // namespace localbatch
