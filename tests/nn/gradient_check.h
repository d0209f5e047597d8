#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/image_network.h"

namespace localbatch {

/// How far the gradient by one tensor is from finite differences of the training loss along three
/// directions, each error relative to the norm of that gradient (or to 0.01 if that is more): along
/// the gradient itself, along the gradient on a random half of its entries, and along a random
/// direction.
struct GradientErrors {
  std::string tensor;
  double along_gradient = 0;
  double along_half = 0;
  double along_random = 0;
};

/// The training loss of the network less that of reference_loss(), relative to the latter. Weights,
/// images and labels are a function of the seed, here and below.
double loss_error(ImageNetwork& network, int images, std::uint64_t seed);

/// A step over the kink of a ReLU or past the winner of a max-pool disturbs some finite
/// differences, but not most of them.
struct FiniteDifferences {
  int seeds = 5;              ///< odd: the median over them counts
  double loss_change = 1e-3;  ///< by one step: small crosses few kinks, large drowns f32's noise
};

/// One entry a parameter tensor.
std::vector<GradientErrors> gradient_errors(ImageNetwork& network, int images,
                                            const FiniteDifferences& how);

}  // namespace localbatch
