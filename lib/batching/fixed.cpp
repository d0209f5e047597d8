#include "batching/batch_size_controller.h"

namespace localbatch {

namespace {

class Fixed final : public BatchSizeController {
 public:
  StatisticsNeeds needs() const override { return {}; }

  Wish wish(const BatchContext& round, const GradientStatistics& /*statistics*/) const override {
    return {.local_batch_size = static_cast<double>(round.local_batch_size),
            .reason = Reason::kFixed};
  }
};

}  // namespace

BatchSizeControllerMade make_fixed(Options& /*options*/) { return std::make_shared<Fixed>(); }

}  // namespace localbatch
