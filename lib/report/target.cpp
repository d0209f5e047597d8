#include "report/target.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/csv.h"
#include "core/error.h"
#include "core/parse.h"
#include "core/text.h"
#include "report/curves_data.h"

namespace localbatch {

namespace {

constexpr const char* kAccuracy = "test_accuracy";

const std::vector<std::string>& names_of_targets() {
  static const std::vector<std::string> names{kAccuracy, "test_loss", "test_perplexity",
                                              "test_bits_per_byte"};
  return names;
}

bool satisfies(double measured, const Target& target) {
  return target.column == kAccuracy ? measured >= target.value : measured <= target.value;
}

/// Whether the run was evaluated, and at least once for this column.
bool measures(const FinishedRun& run, const std::string& column) {
  if (!run.evaluations || !run.evaluations->has(column)) return false;
  return std::ranges::any_of(
      run.evaluations->numbers(column),
      [](const std::optional<double>& number) { return number.has_value(); });
}

/// The row of the first evaluation that satisfies the target together with all later ones, if the
/// last one does.
std::optional<std::size_t> row_that_reaches(const CsvColumns& evaluations, const Target& target) {
  const std::vector<std::optional<double>> measured = evaluations.numbers(target.column);
  std::optional<std::size_t> reached;
  for (std::size_t row = measured.size(); row-- > 0;) {
    if (!measured[row]) continue;
    if (!satisfies(*measured[row], target)) break;
    reached = row;
  }
  return reached;
}

/// What the files of a run say was spent at each evaluation.
using EndsOfEvaluations = std::optional<std::vector<std::optional<double>>>;

/// Nothing where files do not say what the run has spent, whether it reaches the target or not: so
/// runs without a time do not count as runs that are late.
template <class Ends>
std::optional<double> spent(const FinishedRun& run, const Target& target, const Ends& ends_of) {
  if (!measures(run, target.column)) return {};
  const EndsOfEvaluations ends = ends_of(run);
  if (!ends) return {};
  const std::optional<std::size_t> row = row_that_reaches(*run.evaluations, target);
  return row ? (*ends)[*row] : kNever;
}

}  // namespace

Target parse_target(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos)
    fail_input("--target: found '{}', expected COLUMN=VALUE, as test_accuracy=0.9", text);
  Target target{.column = text.substr(0, equals)};
  const std::vector<std::string>& names = names_of_targets();
  if (std::ranges::find(names, target.column) == names.end())
    fail_input("--target: found '{}', allowed is {}", target.column,
               allowed_names(target.column, names));
  const std::string value = text.substr(equals + 1);
  const std::optional<double> number = number_in(value);
  const bool is_fraction = number && *number >= 0 && *number <= 1;
  if (!number || !std::isfinite(*number) || (target.column == kAccuracy && !is_fraction))
    fail_input("--target: {}: found '{}', expected a number{}", target.column, value,
               target.column == kAccuracy ? " from 0 to 1, as in evaluations.csv" : "");
  target.value = *number;
  return target;
}

std::string text_of(const Target& target) {
  return fmt::format("{} {} {}", target.column,
                     target.column == kAccuracy ? ">=" : "<=", target.value);
}

void check_is_measured(const Target& target, const Results& results) {
  std::vector<std::string> measured;
  for (const std::string& name : names_of_targets())
    if (std::ranges::any_of(results.cells, [&name](const ResultCell& cell) {
          return std::ranges::any_of(
              cell.runs, [&name](const SeedRun& run) { return measures(run.run, name); });
        }))
      measured.push_back(name);
  if (!measured.empty() && std::ranges::find(measured, target.column) == measured.end())
    fail_input("--target: found '{}', which no run here measures; allowed is {}", target.column,
               allowed_names(target.column, measured));
}

std::vector<ResultColumn> columns_of(const Target& target) {
  const auto column = [&target](ResultColumn described, const char* what) {
    described.better = ResultColumn::Better::kLess;
    described.value = [target, what](const FinishedRun& run) {
      return spent(run, target, [what](const FinishedRun& of) {
        return ends_of_rows(of, *of.evaluations, what);
      });
    };
    described.target = text_of(target);
    return described;
  };
  return {column({.name = "target_samples",
                  .title = "samples to target",
                  .meaning = "processed by all workers until the target is reached"},
                 "samples"),
          column({.name = "target_rounds",
                  .title = "rounds to target",
                  .meaning = "synchronizations until the target is reached"},
                 "rounds"),
          column({.name = "target_bytes",
                  .title = "MB to target",
                  .meaning = "given to averages by each worker until the target is reached",
                  .decimals = kThreeDigits,
                  .divisor = 1e6},
                 "bytes"),
          column({.name = "target_seconds",
                  .title = "time to target (s)",
                  .meaning = "wall time with evaluations until the target is reached",
                  .decimals = kThreeDigits},
                 "seconds")};
}

std::optional<double> predicted_seconds(const FinishedRun& run, const Target& target,
                                        const PredictedEnds& ends) {
  return spent(run, target, [&ends](const FinishedRun& of) -> EndsOfEvaluations {
    const std::optional<std::map<double, double>> of_rounds = ends(of);
    if (!of_rounds) return {};
    std::vector<std::optional<double>> of_evaluations;
    for (const double round : of.evaluations->positions("round")) {
      const auto found = of_rounds->find(round);
      of_evaluations.push_back(found == of_rounds->end() ? std::nullopt
                                                         : std::optional(found->second));
    }
    return of_evaluations;
  });
}

ResultColumn predicted_column(const Target& target, const std::string& network,
                              const std::string& by, const PredictedEnds& ends) {
  return {.name = "predicted_seconds_" + network,
          .title = "predicted seconds, " + network,
          .meaning =
              "predicted, not measured: until the target is reached, evaluations included, " + by,
          .better = ResultColumn::Better::kLess,
          .decimals = kThreeDigits,
          .value = [target,
                    ends](const FinishedRun& run) { return predicted_seconds(run, target, ends); },
          .target = text_of(target)};
}

}  // namespace localbatch
