#pragma once

#include <span>

#include "nn/test_models.h"

namespace localbatch {

/// The mean training loss of any model, in double and in plain loops over [image][C][H][W]: what
/// every layer is meant to compute. Parameters are in canonical order. Finite differences alone
/// would accept a forward pass that computes something else, as long as its gradient agrees.
double reference_loss(const ImageModel& model, std::span<const float> canonical,
                      const TestBatch& batch);

}  // namespace localbatch
