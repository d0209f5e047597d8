#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "report/result_columns.h"
#include "report/results.h"

namespace localbatch {

/// A figure of evaluations.csv that runs are to reach and to keep, as a run that is above a goal
/// once by the noise of its evaluations has not reached it.
struct Target {
  std::string column;  ///< test_accuracy, test_loss, test_perplexity or test_bits_per_byte
  double value = 0;  ///< in the unit of that file; accuracies, fractions from 0 to 1, are to be at
                     ///< least this, all others at most
};

/// Reads "test_accuracy=0.9". Throws an InputError for what is no such text.
Target parse_target(const std::string& text);

/// "test_accuracy >= 0.9", "test_loss <= 1.5".
std::string text_of(const Target& target);

/// Throws an InputError when runs were evaluated, but none of them for the column of the target.
void check_is_measured(const Target& target, const Results& results);

/// What a run has spent when it reaches the target: target_samples, target_rounds, target_bytes and
/// target_seconds at the first evaluation from which on all evaluations satisfy it; those that did
/// not measure the column do not count.
std::vector<ResultColumn> columns_of(const Target& target);

/// The seconds since the beginning of a run at which each of its rounds would end elsewhere, by its
/// number; nothing where its files do not say what that depends on.
using PredictedEnds = std::function<std::optional<std::map<double, double>>(const FinishedRun&)>;

/// The seconds at which a run would reach the target: kNever for one that does not, nothing where
/// its files do not say.
std::optional<double> predicted_seconds(const FinishedRun& run, const Target& target,
                                        const PredictedEnds& ends);

/// Like target_seconds, with seconds that somebody predicts for a network: predicted_seconds_1gbit.
/// `by` says in a few words what they follow from.
ResultColumn predicted_column(const Target& target, const std::string& network,
                              const std::string& by, const PredictedEnds& ends);

}  // namespace localbatch
