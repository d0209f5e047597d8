#pragma once

#include "batching/batch_size_controller.h"

namespace localbatch {

/// A controller that looks at the noise of gradients: refuses what nobody can judge, and leaves the
/// rest to `judge`.
class NoiseRule : public BatchSizeController {
 public:
  Wanted wanted(const BatchContext& round, const GradientStatistics& statistics) const final;

 private:
  virtual Wanted judge(const BatchContext& round, const GradientStatistics& statistics) const = 0;
};

Reason reason_of(bool passes);

/// What a test against the squared norm wants: the batch that passes it, or the growth of
/// noise_limited_batch_size() where noise hides the gradient.
Wanted judge_against_norm(const Inequality& test, double parameter_squared,
                          const BatchContext& round, const GradientStatistics& statistics);

/// The norm test, variance/N <= eta_squared |g|^2.
Wanted judge_norm(double eta_squared, const BatchContext& round,
                  const GradientStatistics& statistics);

}  // namespace localbatch
