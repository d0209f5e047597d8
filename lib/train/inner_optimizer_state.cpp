#include "train/inner_optimizer_state.h"

#include <algorithm>

namespace localbatch {

void add_averaged_state(InnerOptimizer& optimizer, StatePolicy policy,
                        std::vector<Averaged>& averaged) {
  if (policy == StatePolicy::kAverage && !optimizer.state().empty())
    averaged.push_back(
        {.mine = optimizer.state(), .mean = optimizer.state(), .traffic = Traffic::kState});
}

void finish_synchronization(InnerOptimizer& optimizer, StatePolicy policy) {
  if (policy != StatePolicy::kReset) return;
  std::ranges::fill(optimizer.state(), 0.0F);
  optimizer.steps() = 0;
}

void visit_inner_optimizer(StateVisitor& visitor, InnerOptimizer& optimizer) {
  visitor.visit("optimizer.state", optimizer.state());
  visitor.visit("optimizer.steps", optimizer.steps());
}

}  // namespace localbatch
