#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "core/vector.h"
#include "nn/layer.h"
#include "nn/pixel_norm.h"

namespace localbatch {

// How layers with weights compute norms and inner products of single images' gradients
// (SampleSums). There are two ways. The gradient of each image can be made, measured and added to
// the others. Or, where weights are many and pixels few, norms come from products of pixels
// (pixel_norm.h), inner products from a convolution with the direction, <dW, D> = <dy, conv(x; D)>,
// and the gradient of all images from the ordinary pass.

/// The rule: the norm by pixels where it is cheaper than the gradient of an image, which takes
/// `gradient_multiply_adds` and has to be written and read. A function of the shape alone, because
/// bits depend on it.
std::optional<PixelNorm> make_pixel_norm(const ConvolutionShape& shape,
                                         double gradient_multiply_adds);

/// Adds the contribution of some parameters to the sums of an image. `gradient` is that image's
/// gradient by these parameters, which begin at `offset` in the flat arrays.
void add_to_sums(const SampleSums& sums, int image, std::size_t offset,
                 std::span<const float> gradient);

/// Add a term that is known already. Nothing happens where it is not wanted.
void add_to_squared_norm(const SampleSums& sums, int image, double term);
void add_to_inner_product(const SampleSums& sums, int image, double term);

inline bool wants_squared_norms(const SampleSums& sums) { return !sums.squared_norms.empty(); }
inline bool wants_inner_products(const SampleSums& sums) { return !sums.inner_products.empty(); }

/// Sum of x y in double; in bf16 `count` fills vectors.
double sum_of_products(const float* x, const float* y, std::size_t count);
double sum_of_products(const Bfloat16* x, const float* y, std::size_t count);

}  // namespace localbatch
