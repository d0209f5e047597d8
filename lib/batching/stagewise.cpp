#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "batching/batch_size_controller.h"

namespace localbatch {

namespace {

/// The initial batch size until the first milestone, then one size after the other. Milestones are
/// often those of a learning-rate schedule (Smith, Kindermans, Ying and Le 2018: a larger batch in
/// place of a smaller rate).
class Stagewise final : public BatchSizeController {
 public:
  Stagewise(std::vector<std::int64_t> milestones, std::vector<std::int64_t> sizes)
      : milestones_(std::move(milestones)), sizes_(std::move(sizes)) {}

  StatisticsNeeds needs() const override { return {}; }

  Wish wish(const BatchContext& round, const GradientStatistics& /*statistics*/) const override {
    const auto passed = std::ranges::upper_bound(milestones_, round.samples) - milestones_.begin();
    const std::int64_t size =
        passed == 0 ? round.initial_local_batch_size : sizes_[static_cast<std::size_t>(passed - 1)];
    return {.local_batch_size = static_cast<double>(size), .reason = Reason::kSchedule};
  }

 private:
  std::vector<std::int64_t> milestones_, sizes_;
};

}  // namespace

BatchSizeControllerMade make_stagewise(Options& options) {
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
