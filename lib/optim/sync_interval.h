#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/options.h"

namespace localbatch {

/// The facts that a rule for H may look at when a round begins.
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
  /// Whether the rule looks at more than round and samples. If not, H is known before a run.
  bool depends_on_losses = false, depends_on_learning_rate = false;

  int operator()(const SyncContext& context) const { return rule(context); }
};

struct ConstantIntervalSettings {
  int H = 1;
};

/// Post-local SGD (Lin, Stich, Patel and Jaggi 2020): H = 1 before `start_samples`.
struct PostLocalSettings {
  std::int64_t start_samples = 0;
  int H = 1;
};

struct StagewiseIntervalSettings {
  int H = 1;                             ///< before the first milestone
  std::vector<std::int64_t> milestones;  ///< samples, increasing
  std::vector<std::int64_t> H_after;     ///< from each milestone on
};

/// The quadratic synchronization rule (Gu, Lyu, Arora, Zhang and Huang 2024):
///   max(H, floor((alpha/learning rate)^exponent)) from `start_samples` on, H before.
struct QuadraticIntervalSettings {
  int H = 1;
  double alpha = 0;
  double exponent = 2;
  std::int64_t start_samples = 0;
};

/// AdaComm (Wang and Joshi 2019), without its terms for a changing learning rate:
///   ceil(H sqrt(loss of the round before/loss of the first)), H in the first round.
struct AdacommSettings {
  int H = 1;
};

// Every part can be made from its settings, and from the keys of an experiment file.
SyncInterval make_constant_interval(const ConstantIntervalSettings& settings);
SyncInterval make_constant_interval(Options& options);
SyncInterval make_post_local_interval(const PostLocalSettings& settings);
SyncInterval make_post_local_interval(Options& options);
SyncInterval make_stagewise_interval(const StagewiseIntervalSettings& settings);
SyncInterval make_stagewise_interval(Options& options);
SyncInterval make_quadratic_interval(const QuadraticIntervalSettings& settings);
SyncInterval make_quadratic_interval(Options& options);
SyncInterval make_adacomm_interval(const AdacommSettings& settings);
SyncInterval make_adacomm_interval(Options& options);

std::span<const PartRow<SyncInterval>> sync_interval_table();

}  // namespace localbatch
