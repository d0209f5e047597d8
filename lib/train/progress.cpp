#include "train/progress.h"

namespace localbatch {

void visit_state(StateVisitor& visitor, Progress& progress) {
  // These do not compile when a field is added, so that nobody forgets it here.
  auto& [round, samples, local_batch_size, first_loss, last_loss, averages, carry, variance,
         squared_norm, residual] = progress;
  auto& [sums, weight] = averages;
  auto& [gain, noise] = carry;
  visitor.visit("round", round);
  visitor.visit("samples", samples);
  visitor.visit("local_batch_size", local_batch_size);
  visitor.visit("first_loss", first_loss);
  visitor.visit("last_loss", last_loss);
  visitor.visit("averages.sums", std::span(sums));
  visitor.visit("averages.weight", weight);
  visitor.visit("carry.gain", gain);
  visitor.visit("carry.noise", noise);
  visitor.visit("variance", variance);
  visitor.visit("squared_norm", squared_norm);
}

void visit_own_state(StateVisitor& visitor, Progress& progress) {
  visitor.visit("residual", std::span(progress.residual));
}

}  // namespace localbatch
