#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "batching/batch_size_controller.h"

namespace localbatch {

// Controllers that measure the noise of gradients. N are the samples of all workers' batches, g is
// the mean of the workers' gradients, and variances are those of one sample (method.md 2).

/// The norm test of Byrd, Chin, Nocedal and Wu (2012) (method.md 2.2 and 2.3):
///   variance/N <= eta^2 |g|^2, so the smallest local batch size is variance/(M eta^2 |g|^2).
struct NormTestSettings {
  double eta = 0.8;
};

/// The inner product test of Bollapragada, Byrd and Nocedal (2018), and with nu their augmented
/// test, which adds the orthogonality test (method.md 2.6):
///   inner_product_variance/N <= theta^2 |g|^4   and   orthogonal_variance/N <= nu^2 |g|^2.
struct InnerProductTestSettings {
  double theta = 0.9;
  std::optional<double> nu = std::nullopt;  ///< none: no orthogonality test
};

/// The norm test of every coordinate i by itself (method.md 2.1):
///   variance_i/N <= eta^2 g_i^2 for a share of the coordinates; the definition asks for all.
struct CoordinateNormTestSettings {
  double eta = 0.8;
  double share = 1;  ///< one of kCoordinateShares
};

// Every part can be made from its settings, and from the keys of an experiment file.
std::shared_ptr<const BatchSizeController> make_norm_test(const NormTestSettings& settings);
std::shared_ptr<const BatchSizeController> make_norm_test(Options& options);
std::shared_ptr<const BatchSizeController> make_inner_product_test(
    const InnerProductTestSettings& settings);
std::shared_ptr<const BatchSizeController> make_inner_product_test(Options& options);
std::shared_ptr<const BatchSizeController> make_coordinate_norm_test(
    const CoordinateNormTestSettings& settings);
std::shared_ptr<const BatchSizeController> make_coordinate_norm_test(Options& options);
std::string norm_test_label(std::span<const KeyValue> settings);
std::string inner_product_test_label(std::span<const KeyValue> settings);

}  // namespace localbatch
