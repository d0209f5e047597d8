#pragma once

#include <memory>

#include "batching/batch_size_controller.h"

namespace localbatch {

// Controllers that make the batch as large as the noise of gradients, without being called a test.
// N are the samples of all workers' batches, g is the mean of the workers' gradients, and variances
// are those of one sample (method.md 2).

/// A batch in proportion to the simple noise scale of McCandlish, Kaplan and Amodei (2018):
///   M b = scale variance/|g|^2,
/// which is what the norm test asks for with eta^2 = 1/scale. In the definition |g| is the true
/// gradient's norm, so an unbiased estimate is meant (method.md 2.7).
struct GradientNoiseScaleSettings {
  double scale = 1;
};

/// CABS (Balles, Romero and Hennig 2017), which couples the batch to the learning rate:
///   M b = scale learning_rate variance/loss.
/// The rule assumes plain SGD and a smallest loss of about 0. The averages over steps of the paper
/// are left out.
struct CabsSettings {
  double scale = 1;
};

/// DiveBatch (Chen, Wang and Sundaram 2025) makes the batch of the next epoch proportional to the
/// diversity of gradients over n samples, n sum |g_i|^2/|sum g_i|^2. That is the mean of |g_i|^2
/// over the squared norm of the mean, so by the statistics of a round
///   M b = scale (|g|^2 + variance)/|g|^2.
struct DiveBatchSettings {
  double scale = 1;
};

/// SimiGrad (Qin et al. 2021) changes the batch by a tenth until the mean gradients of its two
/// halves have a cosine that is asked for. Where halves of N/2 samples have independent noise, that
/// cosine is |g|^2/(|g|^2 + 2 variance/N) up to fluctuations, so (derived) the batch is to be
///   M b = 2 similarity/(1 - similarity) variance/|g|^2.
struct SimiGradSettings {
  double similarity = 0.5;
};

// Every part can be made from its settings, and from the keys of an experiment file.
std::shared_ptr<const BatchSizeController> make_gradient_noise_scale(
    const GradientNoiseScaleSettings& settings);
std::shared_ptr<const BatchSizeController> make_gradient_noise_scale(Options& options);
std::shared_ptr<const BatchSizeController> make_cabs(const CabsSettings& settings);
std::shared_ptr<const BatchSizeController> make_cabs(Options& options);
std::shared_ptr<const BatchSizeController> make_divebatch(const DiveBatchSettings& settings);
std::shared_ptr<const BatchSizeController> make_divebatch(Options& options);
std::shared_ptr<const BatchSizeController> make_simigrad(const SimiGradSettings& settings);
std::shared_ptr<const BatchSizeController> make_simigrad(Options& options);

}  // namespace localbatch
