#pragma once

#include "batching/batch_size_controller.h"

namespace localbatch {

/// The norm test of Byrd, Chin, Nocedal and Wu (2012) on the mean of the workers' gradients
/// (method.md 2.2 and 2.3):
///   variance/N <= eta^2 |g|^2, so the smallest local batch size is variance/(M eta^2 |g|^2).
std::shared_ptr<const BatchSizeController> norm_test(double eta_squared);

}  // namespace localbatch
