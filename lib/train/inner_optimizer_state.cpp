#include "train/inner_optimizer_state.h"

#include <algorithm>

namespace localbatch {

void synchronize_inner_optimizer(InnerOptimizer& optimizer, StatePolicy policy,
                                 Communicator& comm) {
  switch (policy) {
    case StatePolicy::kKeep:
      break;
    case StatePolicy::kAverage:
      comm.average(optimizer.state(), optimizer.state(), Traffic::kState);
      break;
    case StatePolicy::kReset:
      std::ranges::fill(optimizer.state(), 0.0F);
      optimizer.steps() = 0;
      break;
  }
}

}  // namespace localbatch
