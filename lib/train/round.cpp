#include "train/round.h"

#include <cmath>

#include "core/state.h"

namespace localbatch {

void visit_state(StateVisitor& visitor, Progress& progress) {
  // This does not compile when a field is added, so that nobody forgets it here.
  auto& [round, samples, local_batch_size, first_loss, last_loss, variance, squared_norm] =
      progress;
  visitor.visit("round", round);
  visitor.visit("samples", samples);
  visitor.visit("local_batch_size", local_batch_size);
  visitor.visit("first_loss", first_loss);
  visitor.visit("last_loss", last_loss);
  visitor.visit("variance", variance);
  visitor.visit("squared_norm", squared_norm);
}

bool RoundNumbers::finite() const { return std::isfinite(loss) && std::isfinite(drift); }

bool RoundRecord::finite() const { return std::isfinite(loss) && std::isfinite(drift); }

void advance(Progress& progress, const RoundRecord& round) {
  if (progress.round == 0) progress.first_loss = round.loss;
  progress.last_loss = round.loss;
  progress.round = round.round;
  progress.samples = round.samples;
  progress.local_batch_size = round.decision.next;
  if (!round.observed || unusable(*round.observed)) return;
  progress.variance = round.observed->variance;
  progress.squared_norm = round.observed->unbiased_squared_norm;
}

}  // namespace localbatch
