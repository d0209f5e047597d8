#include "batching/norm_test.h"

namespace localbatch {

/// A batch in proportion to the simple noise scale of McCandlish, Kaplan and Amodei (2018):
///   M b = scale variance/|g|^2,
/// which is what the norm test asks for with eta^2 = 1/scale. In the definition |g| is the true
/// gradient's norm, so that an unbiased estimate is meant (method.md 2.7).
BatchSizeControllerMade make_gradient_noise_scale(Options& options) {
  return norm_test(
      1 / options.number(
              "scale",
              {.fallback = 1,
               .min = 1e-6,
               .max = 1e6,
               .meaning = "the batch of all workers is to be this many simple noise scales, "
                          "variance of a gradient/squared norm of its mean (1: McCandlish et al. "
                          "2018); consider gradient_statistics.squared_norm: unbiased"}));
}

}  // namespace localbatch
