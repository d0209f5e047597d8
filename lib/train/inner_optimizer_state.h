#pragma once

#include "comm/communicator.h"
#include "optim/inner_optimizer.h"

namespace localbatch {

/// Does with a worker's optimizer state what the policy says is to be done when parameters are
/// averaged. Collective.
void synchronize_inner_optimizer(InnerOptimizer& optimizer, StatePolicy policy, Communicator& comm);

}  // namespace localbatch
