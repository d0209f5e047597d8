#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "batching/batch_size_controller.h"
#include "batching/batch_size_limits.h"
#include "batching/gradient_statistics.h"
#include "train/audit.h"
#include "train/estimator.h"

namespace localbatch {

class StateVisitor;

/// Where a run stands between two rounds; equal on all workers.
struct Progress {
  std::int64_t round = 0;    ///< rounds completed
  std::int64_t samples = 0;  ///< processed by all workers together
  int local_batch_size = 1;  ///< of the next round
  double first_loss = 0;     ///< of the first round
  double last_loss = 0;      ///< of the latest round
  /// From the latest usable statistics, 0 before the first: variance of a sample's gradient and
  /// unbiased squared norm.
  double variance = 0, squared_norm = 0;
};

void visit_state(StateVisitor& visitor, Progress& progress);

/// What a round is going to do; see LocalSgd::plan().
struct RoundPlan {
  std::int64_t round = 1;    ///< k, counted from 1
  std::int64_t samples = 0;  ///< processed by all workers together when the round is over
  int local_batch_size = 1;  ///< b
  int local_steps = 1;       ///< H
  std::function<double(int h)> learning_rate = [](int) { return 0.0; };  ///< of local step h < H
  double elapsed = 0;  ///< share of the budget that was processed before the round

  bool observed = false;  ///< somebody looks at statistics of the round's gradients
  bool tested = false;    ///< the method itself does, for its test or its learning rate
  bool audited = false;   ///< those of independent gradients are computed beside them

  bool measured() const { return observed || audited; }
};

/// What a worker asks for at the end of a round; all workers get what one of them asks for.
struct Request {
  bool save = false;  ///< a checkpoint
  bool stop = false;  ///< the end of the run, behind a checkpoint
};

/// What a worker knows by itself when a round is over, and what all of them know together.
struct RoundNumbers {
  double loss = 0;           ///< mean over local steps, and over workers
  double drift = 0;          ///< squared distance from the average, mean over workers
  double residual = 0;       ///< squared norm of what is still to be sent, mean over workers
  double gradient_norm = 0;  ///< before clipping, mean over local steps, and over workers
  double clipped_steps = 0;  ///< added up over workers
  GroupSums gradients = {};  ///< likewise
  Request request = {};

  /// False: the run has diverged.
  bool finite() const;
};

/// All fields of each kind, for what is done to each of them; kGroupSumFields has the sums.
inline constexpr std::array<double RoundNumbers::*, 4> kRoundMeanFields{
    &RoundNumbers::loss, &RoundNumbers::drift, &RoundNumbers::residual,
    &RoundNumbers::gradient_norm};
inline constexpr std::array<double RoundNumbers::*, 1> kRoundSumFields{
    &RoundNumbers::clipped_steps};
inline constexpr std::array<bool Request::*, 2> kRequestFields{&Request::save, &Request::stop};

/// What a round's gradients told.
struct RoundStatistics {
  /// What a test or the learning rate looked at, and its values before moving averages.
  std::optional<GradientStatistics> statistics = {}, measured = {};
  std::optional<GradientStatistics> observed = {};  ///< also where only observers look
  std::optional<Audit> audit = {};
};

/// What happened in one round; equal on all workers.
struct RoundRecord {
  std::int64_t round = 0;    ///< counted from 1
  std::int64_t samples = 0;  ///< processed after it
  int local_steps = 0;       ///< H
  int local_batch_size = 0;  ///< b
  double learning_rate = 0;  ///< of the first local step
  double loss = 0;           ///< mean over workers and local steps
  double drift = 0;  ///< mean squared distance of the workers from the mean of what they sent
  /// Where parameters travel as moves: mean squared norm of what was taken away from these.
  std::optional<double> residual = {};
  /// Of a local step's gradient before clipping, mean over workers and local steps.
  double gradient_norm = 0;
  std::int64_t clipped_steps = 0;                                    ///< of all workers
  std::optional<GradientStatistics> statistics = {}, measured = {};  ///< see RoundStatistics
  std::optional<GradientStatistics> observed = {};
  std::optional<Audit> audit = {};
  Wanted wanted = {};
  BatchSizeDecision decision = {};
  Request request = {};  ///< of all workers

  /// False: the run has diverged.
  bool finite() const;
};

/// Goes on behind the round.
void advance(Progress& progress, const RoundRecord& round);

}  // namespace localbatch
