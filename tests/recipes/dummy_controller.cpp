#include "batching/dummy_controller.h"

namespace localbatch {

namespace {

/// The batch grows by a factor in every round.
class DummyController final : public BatchSizeController {
 public:
  explicit DummyController(double factor) : factor_(factor) {}

  StatisticsNeeds needs() const override { return {}; }

  Wanted wanted(const BatchContext& round,
                const GradientStatistics& /*statistics*/) const override {
    return {.local_batch_size = factor_ * round.local_batch_size, .reason = Reason::kSchedule};
  }

 private:
  double factor_;
};

}  // namespace

std::shared_ptr<const BatchSizeController> make_dummy_controller(
    const DummyControllerSettings& settings) {
  return std::make_shared<DummyController>(settings.factor);
}

std::shared_ptr<const BatchSizeController> make_dummy_controller(Options& options) {
  DummyControllerSettings settings;
  settings.factor = options.number(
      "factor", {.fallback = settings.factor, .min = 1, .max = 10, .meaning = "growth in a round"});
  return make_dummy_controller(settings);
}

}  // namespace localbatch
