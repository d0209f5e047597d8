#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "core/options.h"

namespace localbatch {

/// What a rule for H may look at when a round begins.
struct SyncContext {
  std::int64_t round = 0;
  std::int64_t samples = 0;  ///< processed by all workers together
  double learning_rate = 0;  ///< of the round's first local step
  double first_loss = 0;     ///< of the first round, mean over workers and local steps
  double last_loss = 0;      ///< of the round before; in the first round there is neither
};

/// H, the number of local steps of the round that begins; at least 1.
using SyncInterval = std::function<int(const SyncContext&)>;

/// constant, post_local, stagewise, quadratic, adacomm.
std::span<const PartRow<SyncInterval>> sync_interval_table();

}  // namespace localbatch
