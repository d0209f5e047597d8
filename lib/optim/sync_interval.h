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

/// A rule for H, the number of local steps of the round that begins; at least 1.
struct SyncInterval {
  std::function<int(const SyncContext&)> rule = [](const SyncContext&) { return 1; };
  /// What the rule looks at besides round and samples. Without both, H is known before a run.
  bool depends_on_losses = false, depends_on_learning_rate = false;

  int operator()(const SyncContext& context) const { return rule(context); }
};

/// constant, post_local, stagewise, quadratic, adacomm.
std::span<const PartRow<SyncInterval>> sync_interval_table();

}  // namespace localbatch
