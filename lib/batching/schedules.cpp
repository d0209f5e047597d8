#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "batching/batch_size_controller.h"

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

std::shared_ptr<const BatchSizeController> make_fixed(Options& /*options*/) {
  return std::make_shared<Fixed>();
}

namespace {

/// After n samples, b = initial factor^floor(n/every_samples).
class Geometric final : public BatchSizeController {
 public:
  Geometric(double factor, std::int64_t every_samples)
      : factor_(factor), every_samples_(every_samples) {}

  StatisticsNeeds needs() const override { return {}; }

  Wanted wanted(const BatchContext& round,
                const GradientStatistics& /*statistics*/) const override {
    const std::int64_t times = round.samples / every_samples_;
    return {.local_batch_size =
                round.initial_local_batch_size * std::pow(factor_, static_cast<double>(times)),
            .reason = Reason::kSchedule};
  }

 private:
  double factor_;
  std::int64_t every_samples_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_geometric(Options& options) {
  const double factor = options.number(
      "factor", {.fallback = 2,
                 .min = 1e-3,
                 .max = 1e3,
                 .meaning = "what the local batch size is multiplied by; less than 1 needs "
                            "monotone: false"});
  const std::int64_t every_samples = options.integer(
      "every_samples",
      {.min = 1, .meaning = "samples, of all workers together, from one such step to the next"});
  return std::make_shared<Geometric>(factor, every_samples);
}

namespace {

/// A linear ramp, as large language models are trained with: after n samples,
///   b = initial + (final - initial) min(1, n/ramp_samples).
class Linear final : public BatchSizeController {
 public:
  Linear(int final_size, std::int64_t ramp_samples)
      : final_size_(final_size), ramp_samples_(ramp_samples) {}

  StatisticsNeeds needs() const override { return {}; }

  Wanted wanted(const BatchContext& round,
                const GradientStatistics& /*statistics*/) const override {
    const double share =
        std::min(1.0, static_cast<double>(round.samples) / static_cast<double>(ramp_samples_));
    const double initial = round.initial_local_batch_size;
    return {.local_batch_size = initial + share * (final_size_ - initial),
            .reason = Reason::kSchedule};
  }

 private:
  int final_size_;
  std::int64_t ramp_samples_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_linear(Options& options) {
  const auto final_size = static_cast<int>(options.integer(
      "final", {.min = 1, .max = 1 << 30, .meaning = "local batch size at the end of the ramp"}));
  const std::int64_t ramp_samples =
      options.integer("ramp_samples", {.min = 1,
                                       .meaning = "samples, of all workers together, over which "
                                                  "the local batch size changes from the initial "
                                                  "to the final one"});
  return std::make_shared<Linear>(final_size, ramp_samples);
}

namespace {

/// The initial batch size until the first milestone, then one size after the other. Milestones are
/// often those of a learning-rate schedule (Smith, Kindermans, Ying and Le 2018: a larger batch in
/// place of a smaller rate).
class Stagewise final : public BatchSizeController {
 public:
  Stagewise(std::vector<std::int64_t> milestones, std::vector<std::int64_t> sizes)
      : milestones_(std::move(milestones)), sizes_(std::move(sizes)) {}

  StatisticsNeeds needs() const override { return {}; }

  Wanted wanted(const BatchContext& round,
                const GradientStatistics& /*statistics*/) const override {
    const auto passed = std::ranges::upper_bound(milestones_, round.samples) - milestones_.begin();
    const std::int64_t size =
        passed == 0 ? round.initial_local_batch_size : sizes_[static_cast<std::size_t>(passed - 1)];
    return {.local_batch_size = static_cast<double>(size), .reason = Reason::kSchedule};
  }

 private:
  std::vector<std::int64_t> milestones_, sizes_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_stagewise(Options& options) {
  std::vector<std::int64_t> milestones = options.integers(
      "milestones", {.min = 1,
                     .meaning = "samples, of all workers together, at which the local batch size "
                                "changes; increasing"});
  std::vector<std::int64_t> sizes = options.integers(
      "sizes",
      {.min = 1,
       .max = 1 << 30,
       .meaning = "local batch size from each milestone on, as many as milestones; smaller than "
                  "the one before it needs monotone: false"});
  if (std::ranges::adjacent_find(milestones, std::greater_equal<>()) != milestones.end())
    options.fail("milestones", fmt::format("found [{}], each must be more than the one before it",
                                           fmt::join(milestones, ", ")));
  if (sizes.size() != milestones.size())
    options.fail("sizes", fmt::format("found {} numbers, expected one for each of {} milestones",
                                      sizes.size(), milestones.size()));
  return std::make_shared<Stagewise>(std::move(milestones), std::move(sizes));
}

}  // namespace localbatch
