#include <algorithm>

#include "core/error.h"
#include "optim/outer_optimizer.h"

namespace localbatch {

namespace {

class Averaging final : public OuterOptimizer {
 public:
  void step(std::span<float> global, std::span<const float> mean_local,
            double /*learning_rate*/) override {
    check(global.size() == mean_local.size(), "global and local parameters are of one length");
    std::ranges::copy(mean_local, global.begin());
  }

  std::span<float> state() override { return {}; }
};

}  // namespace

OuterOptimizerMaker make_averaging(Options& /*options*/) {
  return [](std::size_t /*parameter_count*/) { return std::make_unique<Averaging>(); };
}

}  // namespace localbatch
