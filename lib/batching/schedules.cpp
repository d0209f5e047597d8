#include "batching/schedules.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string_view>

#include "core/error.h"

namespace localbatch {

namespace {

class Fixed final : public BatchSizeController {
 public:
  StatisticsNeeds needs() const override { return {}; }

  Wanted wanted(const BatchContext& round,
                const GradientStatistics& /*statistics*/) const override {
    return {.local_batch_size = static_cast<double>(round.local_batch_size),
            .reason = Reason::kFixed};
  }
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_fixed() { return std::make_shared<Fixed>(); }

std::shared_ptr<const BatchSizeController> make_fixed(Options& /*options*/) { return make_fixed(); }

std::string fixed_label(std::span<const KeyValue> settings) {
  return "constant " + value_of(settings, "batch_size.initial");
}

namespace {

class Geometric final : public BatchSizeController {
 public:
  explicit Geometric(const GeometricSettings& settings) : settings_(settings) {}

  StatisticsNeeds needs() const override { return {}; }

  Wanted wanted(const BatchContext& round,
                const GradientStatistics& /*statistics*/) const override {
    const std::int64_t times = round.samples / settings_.every_samples;
    return {.local_batch_size = round.initial_local_batch_size *
                                std::pow(settings_.factor, static_cast<double>(times)),
            .reason = Reason::kSchedule};
  }

 private:
  GeometricSettings settings_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_geometric(const GeometricSettings& settings) {
  return std::make_shared<Geometric>(settings);
}

std::shared_ptr<const BatchSizeController> make_geometric(Options& options) {
  GeometricSettings settings;
  settings.factor = options.number(
      "factor", {.fallback = settings.factor,
                 .min = 1e-3,
                 .max = 1e3,
                 .meaning = "what the local batch size is multiplied by; less than 1 needs "
                            "monotone: false"});
  settings.every_samples = options.integer(
      "every_samples",
      {.min = 1, .meaning = "samples, of all workers together, from one such step to the next"});
  return make_geometric(settings);
}

namespace {

class LinearRamp final : public BatchSizeController {
 public:
  explicit LinearRamp(const LinearRampSettings& settings) : settings_(settings) {}

  StatisticsNeeds needs() const override { return {}; }

  Wanted wanted(const BatchContext& round,
                const GradientStatistics& /*statistics*/) const override {
    const double share = std::min(
        1.0, static_cast<double>(round.samples) / static_cast<double>(settings_.ramp_samples));
    const double initial = round.initial_local_batch_size;
    return {.local_batch_size = initial + share * (settings_.final_size - initial),
            .reason = Reason::kSchedule};
  }

 private:
  LinearRampSettings settings_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_linear_ramp(const LinearRampSettings& settings) {
  return std::make_shared<LinearRamp>(settings);
}

std::shared_ptr<const BatchSizeController> make_linear_ramp(Options& options) {
  LinearRampSettings settings;
  settings.final_size = options.integer<int>(
      "final", {.min = 1, .max = 1 << 30, .meaning = "local batch size at the end of the ramp"});
  settings.ramp_samples =
      options.integer("ramp_samples", {.min = 1,
                                       .meaning = "samples, of all workers together, over which "
                                                  "the local batch size changes from the initial "
                                                  "to the final one"});
  return make_linear_ramp(settings);
}

namespace {

class Stagewise final : public BatchSizeController {
 public:
  explicit Stagewise(const StagewiseSettings& settings) : settings_(settings) {
    check(settings.sizes.size() == settings.milestones.size(), "each milestone has a size");
  }

  StatisticsNeeds needs() const override { return {}; }

  Wanted wanted(const BatchContext& round,
                const GradientStatistics& /*statistics*/) const override {
    const auto& [milestones, sizes] = settings_;
    const auto passed = std::ranges::upper_bound(milestones, round.samples) - milestones.begin();
    const std::int64_t size = passed == 0 ? round.initial_local_batch_size : sizes[passed - 1];
    return {.local_batch_size = static_cast<double>(size), .reason = Reason::kSchedule};
  }

 private:
  StagewiseSettings settings_;
};

/// As many local batch sizes as another key has places.
std::vector<std::int64_t> read_sizes(Options& options, std::size_t places, std::string_view key,
                                     std::string_view meaning) {
  std::vector<std::int64_t> sizes =
      options.integers("sizes", {.min = 1, .max = 1 << 30, .meaning = meaning});
  if (sizes.size() != places)
    options.fail("sizes", fmt::format("found {} numbers, expected one for each of {} {}",
                                      sizes.size(), places, key));
  return sizes;
}

}  // namespace

std::shared_ptr<const BatchSizeController> make_stagewise(const StagewiseSettings& settings) {
  return std::make_shared<Stagewise>(settings);
}

std::shared_ptr<const BatchSizeController> make_stagewise(Options& options) {
  StagewiseSettings settings;
  settings.milestones = options.integers(
      "milestones", {.min = 1,
                     .ascending = true,
                     .meaning = "samples, of all workers together, at which the local batch size "
                                "changes; increasing"});
  settings.sizes =
      read_sizes(options, settings.milestones.size(), "milestones",
                 "local batch size from each milestone on, as many as milestones; smaller than "
                 "the one before it needs monotone: false");
  return make_stagewise(settings);
}

namespace {

class Seesaw final : public BatchSizeController {
 public:
  StatisticsNeeds needs() const override { return {}; }

  Wanted wanted(const BatchContext& round,
                const GradientStatistics& /*statistics*/) const override {
    return {.local_batch_size = round.initial_local_batch_size / round.share_of_peak,
            .reason = Reason::kSchedule};
  }
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_seesaw() { return std::make_shared<Seesaw>(); }

std::shared_ptr<const BatchSizeController> make_seesaw(Options& /*options*/) {
  return make_seesaw();
}

namespace {

class MeasuredWarmUp final : public BatchSizeController {
 public:
  explicit MeasuredWarmUp(const MeasuredWarmUpSettings& settings) : settings_(settings) {
    check(settings.sizes.size() == settings.samples.size(), "each place has a size");
  }

  StatisticsNeeds needs() const override { return {}; }

  Wanted wanted(const BatchContext& round,
                const GradientStatistics& /*statistics*/) const override {
    const double limit = size_at(round.samples);
    double size = round.initial_local_batch_size;
    while (2 * size <= limit) size *= 2;
    return {.local_batch_size = size, .reason = Reason::kSchedule};
  }

 private:
  /// On straight lines between what was measured; nothing is known beyond the ends.
  double size_at(std::int64_t samples) const {
    const auto& [places, sizes] = settings_;
    const auto next =
        static_cast<std::size_t>(std::ranges::upper_bound(places, samples) - places.begin());
    if (next == 0) return 0;
    const auto before = static_cast<double>(sizes[next - 1]);
    if (next == places.size()) return before;
    const double share = static_cast<double>(samples - places[next - 1]) /
                         static_cast<double>(places[next] - places[next - 1]);
    return before + share * (static_cast<double>(sizes[next]) - before);
  }

  MeasuredWarmUpSettings settings_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_measured_warm_up(
    const MeasuredWarmUpSettings& settings) {
  return std::make_shared<MeasuredWarmUp>(settings);
}

std::shared_ptr<const BatchSizeController> make_measured_warm_up(Options& options) {
  MeasuredWarmUpSettings settings;
  settings.samples = options.integers(
      "samples", {.min = 0,
                  .ascending = true,
                  .meaning = "of all workers together, where critical batch sizes were measured "
                             "('localbatch branch'); increasing"});
  settings.sizes = read_sizes(options, settings.samples.size(), "samples",
                              "critical local batch size at each, as many as samples");
  return make_measured_warm_up(settings);
}

}  // namespace localbatch
