#include "optim/sync_interval.h"

#include <array>

namespace localbatch {

namespace {

constexpr int kMaxInterval = 1'000'000;

SyncInterval make_constant(Options& options) {
  const int interval = static_cast<int>(options.integer(
      "H", {.fallback = 1,
            .min = 1,
            .max = kMaxInterval,
            .meaning = "local steps between two synchronizations; 1: minibatch SGD"}));
  return [interval](const SyncContext&) { return interval; };
}

/// Post-local SGD (Lin, Stich, Patel and Jaggi 2020).
SyncInterval make_post_local(Options& options) {
  const std::int64_t start = options.integer(
      "start_samples", {.min = 0,
                        .meaning = "samples, of all workers together, that are processed with a "
                                   "synchronization after every local step before H applies"});
  const int interval = static_cast<int>(
      options.integer("H", {.min = 1,
                            .max = kMaxInterval,
                            .meaning = "local steps between two synchronizations in rounds that "
                                       "begin at start_samples or later"}));
  return [start, interval](const SyncContext& context) {
    return context.samples < start ? 1 : interval;
  };
}

}  // namespace

std::span<const PartRow<SyncInterval>> sync_interval_table() {
  static constexpr std::array<PartRow<SyncInterval>, 2> kTable{{
      {"constant", "the same number of local steps in every round", make_constant},
      {"post_local", "one local step per round at first, H later (Lin et al. 2020)",
       make_post_local},
  }};
  return kTable;
}

}  // namespace localbatch
