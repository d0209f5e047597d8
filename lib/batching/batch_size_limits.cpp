#include "batching/batch_size_limits.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace localbatch {

namespace {

/// Rounds up. Sizes are clamped to [0, 2^52], so that the conversion is defined.
std::int64_t whole_batch_size(double size) {
  check(!std::isnan(size), "a test that was evaluated wants a number");
  return static_cast<std::int64_t>(std::ceil(std::clamp(size, 0.0, 0x1p52)));
}

}  // namespace

bool BatchSizeLimits::due(std::int64_t round, int local_batch_size) const {
  return round % every_rounds == 0 && !(monotone && local_batch_size >= max);
}

BatchSizeLimits read_batch_size_limits(Options& batch_size, Options& controller) {
  constexpr int kMaxLocalBatchSize = 1 << 30;
  BatchSizeLimits limits;
  const auto size = [&](std::string_view key, int fallback, std::string_view meaning) {
    return batch_size.integer<int>(
        key, {.fallback = fallback, .min = 1, .max = kMaxLocalBatchSize, .meaning = meaning});
  };
  limits.min = size("min", limits.min, "smallest local batch size, in samples per worker");
  limits.max = size("max", limits.max, "largest local batch size, in samples per worker");
  limits.multiple_of = size("multiple_of", limits.multiple_of,
                            "a new local batch size is rounded up to a multiple of this, but "
                            "never beyond the maximum");
  if (limits.min > limits.max)
    batch_size.fail(
        "min", fmt::format("found {}, allowed is at most the maximum {}", limits.min, limits.max));
  if (limits.multiple_of > limits.max)
    batch_size.fail("multiple_of", fmt::format("found {}, allowed is at most the maximum {}",
                                               limits.multiple_of, limits.max));

  const double growth_limit = controller.number(
      "growth_limit", {.fallback = 0,
                       .min = 0,
                       .max = 1e6,
                       .meaning = "largest factor by which one test may enlarge the batch, before "
                                  "rounding; more than 1, or 0 for no limit"});
  if (growth_limit != 0 && growth_limit <= 1)
    controller.fail("growth_limit",
                    fmt::format("found {}, allowed is 0 or more than 1", growth_limit));
  if (growth_limit != 0) limits.growth_limit = growth_limit;
  limits.monotone = controller.flag(
      "monotone", {.fallback = limits.monotone,
                   .meaning = "never shrink the batch; false: take what the test asks for, also "
                              "when that is less"});
  limits.hysteresis = controller.optional_number(
      "hysteresis", {.min = 0,
                     .max = 1e6,
                     .meaning = "with monotone: false, a batch that could be smaller shrinks only "
                                "from more than 1 + hysteresis times what the test asks for"});
  if (limits.hysteresis.value_or(0) > 0 && limits.monotone)
    controller.fail("hysteresis", "found with monotone: true, under which no batch shrinks");
  limits.every_rounds = controller.integer<int>(
      "every_rounds", {.fallback = limits.every_rounds,
                       .min = 1,
                       .max = 1'000'000,
                       .meaning = "rounds from one test to the next; 1: after every round"});
  return limits;
}

BatchSizeDecision apply_limits(const BatchSizeLimits& limits, int local_batch_size,
                               const Wanted& wanted) {
  if (!wants_size(wanted.reason)) return {local_batch_size, wanted.reason};

  const std::int64_t present = local_batch_size;
  std::int64_t next = whole_batch_size(wanted.local_batch_size);
  Reason reason = wanted.reason;
  const auto change = [&](std::int64_t changed, Reason why) {
    if (changed == next) return;
    next = changed;
    reason = why;
  };

  if (limits.monotone) {
    next = std::max(next, present);
  } else if (next < present) {
    const double enough = static_cast<double>(next) * (1 + limits.hysteresis.value_or(0));
    if (enough < static_cast<double>(present))
      reason = Reason::kShrink;
    else
      change(present, Reason::kHysteresis);
  }
  if (limits.growth_limit) {
    const auto allowed = whole_batch_size(std::floor(local_batch_size * *limits.growth_limit));
    change(std::min(next, std::max(allowed, present + 1)), Reason::kGrowthLimit);
  }
  change(std::max<std::int64_t>(next, limits.min), Reason::kFloor);
  change(std::min<std::int64_t>(next, limits.max), Reason::kCap);
  const std::int64_t multiple = (next + limits.multiple_of - 1) / limits.multiple_of;
  change(std::min<std::int64_t>(multiple * limits.multiple_of, limits.max), Reason::kRounding);
  return {static_cast<int>(next), reason};
}

}  // namespace localbatch
