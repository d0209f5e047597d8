#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "batching/batch_size_controller.h"

namespace localbatch {

// Controllers that follow a schedule in samples of all workers together and look at no gradient.

/// After n samples, b = initial factor^floor(n/every_samples).
struct GeometricSettings {
  double factor = 2;
  std::int64_t every_samples = 1;
};

/// A linear ramp, as large language models are trained with: after n samples,
///   b = initial + (final_size - initial) min(1, n/ramp_samples).
struct LinearRampSettings {
  int final_size = 1;
  std::int64_t ramp_samples = 1;
};

/// The initial batch size until the first milestone, then one size after the other. Milestones are
/// often those of a learning-rate schedule (Smith, Kindermans, Ying and Le 2018: a larger batch in
/// place of a smaller rate).
struct StagewiseSettings {
  std::vector<std::int64_t> milestones;  ///< samples, increasing
  std::vector<std::int64_t> sizes;       ///< local batch size from each milestone on
};

/// Batch sizes that were measured to do no harm, and the local batch as a power of two times the
/// initial one that follows them from below: a batch warm-up (Merrill, Arora, Groeneveld and
/// Hajishirzi 2025), which couples the learning rate to the square root of the batch.
struct MeasuredWarmUpSettings {
  std::vector<std::int64_t> samples;  ///< where they were measured, increasing
  std::vector<std::int64_t> sizes;    ///< critical local batch size at each
};

// Every part can be made from its settings, and from the keys of an experiment file.
std::shared_ptr<const BatchSizeController> make_fixed();
std::shared_ptr<const BatchSizeController> make_fixed(Options& options);
std::shared_ptr<const BatchSizeController> make_geometric(const GeometricSettings& settings);
std::shared_ptr<const BatchSizeController> make_geometric(Options& options);
std::shared_ptr<const BatchSizeController> make_linear_ramp(const LinearRampSettings& settings);
std::shared_ptr<const BatchSizeController> make_linear_ramp(Options& options);
std::shared_ptr<const BatchSizeController> make_stagewise(const StagewiseSettings& settings);
std::shared_ptr<const BatchSizeController> make_stagewise(Options& options);
/// Seesaw (Meterez et al. 2025): where a schedule would multiply the learning rate by a, the batch
/// is multiplied by 1/a and the rate by sqrt(a). In closed form b = initial peak/lr, with the rate
/// of the schedule alone; the rate's own share is learning_rate_coupling: sqrt.
std::shared_ptr<const BatchSizeController> make_seesaw();
std::shared_ptr<const BatchSizeController> make_seesaw(Options& options);
std::shared_ptr<const BatchSizeController> make_measured_warm_up(
    const MeasuredWarmUpSettings& settings);
std::shared_ptr<const BatchSizeController> make_measured_warm_up(Options& options);
std::string fixed_label(std::span<const KeyValue> settings);

}  // namespace localbatch
