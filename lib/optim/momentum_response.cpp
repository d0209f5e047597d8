#include "optim/momentum_response.h"

#include <cmath>

namespace localbatch {

RoundResponse round_response(const LinearSteps& steps, const MomentumCarry& carry,
                             std::span<const double> learning_rates, int local_batch_size) {
  // Backwards: `kept` is the displacement that a velocity of one causes from step h on.
  const double momentum = steps.momentum;
  RoundResponse response;
  double kept = 0;
  for (std::size_t h = learning_rates.size(); h-- > 0;) {
    const double rate = learning_rates[h];
    // The velocity u = momentum u + g of this step moves x by -rate u, or, with Nesterov's rule, by
    // -rate (g + momentum u).
    const double of_gradient = (steps.nesterov ? rate * (1 + momentum) : rate) + momentum * kept;
    const double of_velocity = (steps.nesterov ? rate * momentum : rate) + momentum * kept;
    response.gain += of_gradient;
    response.noise += of_gradient * of_gradient / local_batch_size;
    kept = of_velocity;
  }
  // The velocity that the round began with is multiplied by momentum before it moves anything.
  const double of_carry = momentum * kept;
  response.gain += of_carry * carry.gain;
  response.noise += of_carry * of_carry * carry.noise;
  return response;
}

MomentumCarry after_round(const LinearSteps& steps, StatePolicy at_sync, const MomentumCarry& carry,
                          int local_steps, int local_batch_size) {
  if (at_sync == StatePolicy::kReset || steps.momentum == 0) return {};
  MomentumCarry after = carry;
  for (int h = 0; h < local_steps; ++h) {
    after.gain = steps.momentum * after.gain + 1;
    after.noise = steps.momentum * steps.momentum * after.noise + 1.0 / local_batch_size;
  }
  // An average is the same on all workers.
  if (at_sync == StatePolicy::kAverage) after.noise = 0;
  return after;
}

}  // namespace localbatch
