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

/// Whether it is a test figure of the best of a run's evaluations. Which is the best, the samples
/// say that the run held out of training: the first evaluation of their highest accuracy, for a
/// column of a loss, a perplexity or bits that of their smallest loss. Of a run without them it is
/// the one whose figure is the best itself. NaN is never the best.
bool is_of_best(const ResultColumn& column);

/// Whether a run was evaluated on a test set, which problems do not have.
bool has_test_set(const FinishedRun& run);

/// Whether it was on samples that were held out of training.
bool has_validation(const FinishedRun& run);

/// The columns of a list of names such as "rounds,bytes"; without a list the usual ones. Throws an
/// InputError for a name that does not exist or comes twice.
std::vector<ResultColumn> chosen_columns(std::string_view names);

}  // namespace localbatch
