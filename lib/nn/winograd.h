#pragma once

#include <cstddef>

#include "core/channel_block.h"

namespace localbatch::winograd {

// Convolution 3x3, stride 1, padding 1, by Winograd's minimal filtering F(4x4, 3x3) (Winograd 1980,
// Lavin and Gray 2016): an image is cut into tiles of 4x4 pixels; a tile's output needs 6x6 input
// pixels, which are transformed to 36 points. At every point the convolution is a product of two
// small matrices over channels, 36 products instead of 144 a tile: a quarter of the
// multiplications.
//
//   forward          Y  = A^T [ sum_c (G w G^T) . (B^T x B) ] A
//   backward data    the same with dY for x and the kernel turned by 180 degrees and transposed
//   backward weights dW = G^T [ sum_tiles (B^T x B) . (A dY A^T) ] G
//
// Interpolation points 0, +-5/8, +-3/2, infinity: less than half the rounding error of the
// textbook's 0, +-1, +-2, infinity (7.8e-7 and 1.7e-6 of the output, rms, for normal numbers and 64
// channels).
//
// Everything below is f32 inside and single-threaded; the caller cuts the work. Pixels are in
// channel blocks [C/block][H][W][block] of f32 or Bfloat16; a weight tensor is [K/block][C/block]
// [3][3][block of C][block of K] (oneDNN's OIhw16i16o). Channel counts are multiples of
// kChannelBlock; heights and widths are free, tiles at the edges are cut.

constexpr int kTile = 4;
constexpr int kPatch = 6;
constexpr int kPoints = kPatch * kPatch;

/// Output channels that one call of a product handles: two registers of them where there are as
/// many.
constexpr int kOutputBlock = 2 * kChannelBlock;

/// Tiles are multiplied in groups of this many; a point's plane has room for a multiple of it.
constexpr int kTileGroup = 8;

struct Image {
  int channels = 0;
  int height = 0;
  int width = 0;
};

constexpr int tiles_per_image(const Image& image) {
  return ((image.height + kTile - 1) / kTile) * ((image.width + kTile - 1) / kTile);
}
constexpr int round_up_tiles(int tiles) {
  return (tiles + kTileGroup - 1) / kTileGroup * kTileGroup;
}

/// Transformed tiles, [36 points][C/block][tiles][block]. Tiles of consecutive images follow each
/// other. `plane` is the distance of two points in floats, at least plane_size().
struct Points {
  float* data = nullptr;
  std::size_t plane = 0;
  int tiles = 0;  ///< per channel block; a multiple of kTileGroup
};

/// Floats added to every plane of 36, so that they do not fall into the same cache sets.
constexpr std::size_t kPlanePadding = 48;

/// Floats of a point's plane.
std::size_t plane_size(int channels, int tiles);

/// B^T x B for the tiles of `images` images; they are written from `first_tile` on.
template <class T>
void transform_input(const T* images, int num_images, const Image& shape, int first_tile,
                     const Points& points);

/// A dY A^T, likewise: what the gradient by the weights needs of the gradient by the output.
template <class T>
void transform_output_gradient(const T* images, int num_images, const Image& shape, int first_tile,
                               const Points& points);

/// Sets tiles first .. last - 1 to zero: padding must not add to the gradient by the weights.
void clear_tiles(const Points& points, int channels, int first, int last);

/// Which convolution the transformed weights are for.
enum class Direction { kForward, kBackwardData };

/// Floats of one output block of transformed weights, and of one of its points if it is `width`
/// output channels wide.
std::size_t transformed_weights_size(int reduced_channels);
constexpr std::size_t transformed_weights_plane(int reduced_channels, int width) {
  return static_cast<std::size_t>(reduced_channels) * width + kPlanePadding;
}

/// G w G^T of one block of kOutputBlock (or, at the end, kChannelBlock) output channels beginning
/// at `first_output`: [36 points][reduced channel][output channel of the block]. For the backward
/// direction the outputs are the tensor's C and the reduced channels its K. `channels` and
/// `filters` are the tensor's C and K.
void transform_weights(const float* weights, int channels, int filters, Direction direction,
                       int first_output, float* transformed);

/// The result of a product for a tile block and an output block, [36 points][tiles][output
/// channel], has these sizes.
constexpr int kTileBlock = 64;
constexpr std::size_t kProductPlane = std::size_t{kTileBlock} * kOutputBlock + kPlanePadding;
constexpr std::size_t kProductSize = kPoints * kProductPlane;

/// The convolution of images `first_image` .. for one output block, from their transformed input:
/// product with the transformed weights and output transform. `images` points to the first of them;
/// its channels are all outputs. Adds to what is there if `add`. `product` is scratch of
/// kProductSize floats. Sums over more than 128 channels are restarted, which halves the error.
template <class T>
void multiply(const Points& input, int reduced_channels, const float* transformed_weights,
              int first_output, const Image& shape, int first_tile, int num_images, bool add,
              T* images, float* product);

/// A block of the gradient by the weights at the 36 points: kGradientChannels input channels (fewer
/// at the end) by kOutputBlock output channels, [36 points][channel][output channel].
constexpr int kGradientChannels = 64;
constexpr std::size_t kGradientBlockSize =
    static_cast<std::size_t>(kPoints) * kGradientChannels * kOutputBlock;

/// Sum over tiles 0 .. tiles - 1 of input times output gradient, for the
/// block beginning at (first_channel, first_output); added to what is there if `add`. Sums restart
/// every kTileBlock tiles.
void accumulate_weight_gradient(const Points& input, int channels, const Points& output_gradient,
                                int filters, int tiles, int first_channel, int first_output,
                                bool add, float* block);

/// G^T (block) G into the tensor `gradient` of the layer; added to what is there if `add`.
void write_weight_gradient(const float* block, int channels, int filters, int first_channel,
                           int first_output, bool add, float* gradient);

}  // namespace localbatch::winograd
