#pragma once

#include <optional>
#include <span>

#include "core/csv.h"
#include "train/round.h"
#include "train/worker.h"

namespace localbatch {

/// Changes when a column is removed or changes its meaning; new ones are appended without notice.
constexpr int kSchemaVersion = 1;

/// A row of rounds.csv.
struct RoundRow {
  RoundRecord record;
  double epoch = 0;  ///< samples / size of the training set
  int workers = 1;
  std::int64_t method_bytes = 0;  ///< see the column of this name
};

/// A row of evaluations.csv.
struct EvaluationRow {
  std::int64_t round = 0;
  std::int64_t samples = 0;
  double epoch = 0;
  double train_loss = 0;  ///< mean over the rounds since the last evaluation, weighted by samples
  TestResult test;
  int local_batch_size = 0;
  int sync_interval = 0;
  std::optional<SetResult> averaged = {};  ///< of the mean over rounds, on the test set
};

/// A row of timing.csv: seconds of worker 0 in one round.
struct TimingRow {
  std::int64_t round = 0;
  double total = 0, slot = 0, data = 0, gradient = 0, optimizer = 0, communication = 0,
         evaluation = 0;
  double forward = 0, backward = 0;
  double statistics = 0;
  double waiting = 0;       ///< a part of communication
  std::int64_t tokens = 0;  ///< of all workers in this round; 0: samples are no texts
};

/// A row of controllers.csv: what a controller that does not act would have decided after a round.
struct ControllerRow {
  const RoundRecord& record;
  std::size_t controller = 0;  ///< place in shadow_controllers, from 1
  std::string_view settings;
  Wanted wanted;
  BatchSizeDecision decision;
};

/// A row of audits.csv.
struct AuditRow {
  const RoundRecord& record;
  const Audit& audit;
};

/// Share of the targets that are predicted: classes of images, or tokens.
std::optional<double> test_accuracy(const TestResult& test);

// Of texts: exp(loss), and the loss in bits for each byte of them, where these are known.
std::optional<double> test_perplexity(const TestResult& test);
std::optional<double> test_bits_per_byte(const TestResult& test);

std::span<const CsvColumn<RoundRow>> round_columns();
std::span<const CsvColumn<EvaluationRow>> evaluation_columns();
std::span<const CsvColumn<TimingRow>> timing_columns();
std::span<const CsvColumn<ControllerRow>> controller_columns();
std::span<const CsvColumn<AuditRow>> audit_columns();

}  // namespace localbatch
