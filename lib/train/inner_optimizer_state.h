#pragma once

#include <vector>

#include "comm/communicator.h"
#include "core/state.h"
#include "optim/inner_optimizer.h"

namespace localbatch {

// What the policy says is to be done with a worker's optimizer state when parameters are averaged:
// the state is averaged with them, or reset afterwards.
void add_averaged_state(InnerOptimizer& optimizer, StatePolicy policy,
                        std::vector<Averaged>& averaged);
void finish_synchronization(InnerOptimizer& optimizer, StatePolicy policy);

void visit_inner_optimizer(StateVisitor& visitor, InnerOptimizer& optimizer);

}  // namespace localbatch
