#pragma once

#include <cstddef>
#include <cstdint>

#include "comm/communicator.h"
#include "train/estimator.h"
#include "train/local_sgd.h"
#include "train/worker.h"

namespace localbatch {

/// Numbers that each worker tells all others in a round: loss, drift, checksum, two requests to
/// interrupt, and its sums over gradients.
inline constexpr std::size_t kRoundNumbers = 6 + kGroupSumFields.size();

/// What a worker knows by itself when a round is over, and what all of them know together.
struct RoundNumbers {
  double loss = 0;           ///< mean over local steps, and over workers
  double drift = 0;          ///< squared distance from the average, mean over workers
  double residual = 0;       ///< squared norm of what rounding took away, mean over workers
  GroupSums gradients = {};  ///< added up over workers
  Interruption interruption = {};
};

/// Turns a worker's own numbers into those of all, and makes sure that all workers' parameters are
/// the same to the bit. Throws a SystemError that names worker and tensor if they are not: a
/// computer or a network that errs. Collective, one message to every rank.
RoundNumbers combine(const RoundNumbers& mine, Worker& worker, Communicator& comm);

}  // namespace localbatch
