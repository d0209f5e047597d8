#pragma once

#include <span>

#include "optim/inner_optimizer.h"

namespace localbatch {

/// How far a round of local steps carries the gradients that it saw, for SGD with or without
/// momentum, whose steps are linear in them. Weight decay is neglected: it changes a distance by a
/// factor of 1 - lr weight_decay a step.
struct RoundResponse {
  double gain = 0;   ///< displacement = -gain g when all gradients are g
  double noise = 0;  ///< per sample's variance S of a gradient, that of a worker's displacement
                     ///< around the workers' mean
};

/// The velocity when a round begins, in the units of RoundResponse.
struct MomentumCarry {
  double gain = 0;   ///< velocity = gain g
  double noise = 0;  ///< variance around the workers' mean: noise S
};

/// For one round with these learning rates, one a local step, and `local_batch_size` samples a
/// step. With w_i the sum over h >= i of lr_h momentum^(h - i), the displacement due to the
/// gradient of step i is -w_i g_i (method.md 2.5: for a constant lr and a velocity of zero, noise
/// is lr^2 A(H, momentum)/b).
RoundResponse round_response(const LinearSteps& steps, const MomentumCarry& carry,
                             std::span<const double> learning_rates, int local_batch_size);

/// The velocity after such a round and its synchronization.
MomentumCarry after_round(const LinearSteps& steps, StatePolicy at_sync, const MomentumCarry& carry,
                          int local_steps, int local_batch_size);

}  // namespace localbatch
