#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "report/recorded_run.h"
#include "report/statistics.h"

namespace localbatch {

/// One quantity of a run for a table.
struct ResultColumn {
  enum class Better { kNone, kLess, kMore };

  std::string_view name;     ///< of --columns and of table.csv
  std::string_view title;    ///< in tables, with the unit
  std::string_view meaning;  ///< with the unit of table.csv
  Better better = Better::kNone;
  int decimals = 0;    ///< in tables; kThreeDigits: as many as show three digits
  double divisor = 1;  ///< from the unit of table.csv to that of the title
  std::optional<double> (*value)(const RecordedRun&);  ///< nothing: its files do not say
};

inline constexpr int kThreeDigits = -1;

std::span<const ResultColumn> result_columns();

/// Those of a list of names such as "rounds,bytes"; without a list the usual ones. Throws an
/// InputError for a name that does not exist or comes twice.
std::vector<ResultColumn> chosen_columns(std::string_view names);

/// "124 ± 2" or "91.25", of figures in the unit of table.csv.
std::string sample_text(const ResultColumn& column, const Sample& sample);

}  // namespace localbatch
