#pragma once

#include <algorithm>

#include "core/aligned_buffer.h"
#include "core/batch.h"
#include "nn/layer.h"
#include "nn/winograd.h"

namespace localbatch {

/// How the work of a convolution is cut, by the number of its weights.
///
/// Few channels: a slice of images is transformed, multiplied and transformed back while it is in
/// the cache, with weights that were transformed once a step. When there are many channels the same
/// weights are too many for the cache. Then the points of all images are computed first, and a
/// piece of work is a block of output channels, whose weights are transformed, used for all images
/// and forgotten. The gradient by the weights goes over to that second way earlier, because it
/// holds 36 numbers for 9 weights.
enum class WinogradCut { kByImages, kGradientByChannels, kByChannels };

/// The steps of a 3x3 convolution by Winograd's algorithm (winograd.h), with the weights of one
/// layer: what the passes of the layer are put together from. Channels are those of the input,
/// filters those of the output.
class WinogradOperator {
 public:
  using Direction = winograd::Direction;
  using Points = winograd::Points;

  WinogradOperator(const ImageShape& src, const ImageShape& dst);

  WinogradCut cut() const { return cut_; }
  int channels() const { return src_.channels; }
  int filters() const { return dst_.channels; }
  int tiles_per_image() const { return winograd::tiles_per_image(src_); }

  /// Transforms the weights once for all slices, unless the cut is by channels.
  void load(const float* weights, bool backward_data);
  std::size_t loaded_bytes() const;

  // Points lie in scratch memory. Tiles count from the first image of the micro-batch's stretch
  // that has its points there.
  static std::size_t points_size(int channels, int tiles);
  static Points points_in(float* memory, int channels, int tiles);
  static Points take_points(Thread& thread, int channels, int tiles);

  /// The convolution of a slice with all weights, from its points. `to` are the images of the
  /// slice; adds to them if asked.
  template <class T>
  void convolve(Direction direction, const Points& points, int images, bool add, T* to,
                Thread& thread) const;

  /// The convolution of a whole stretch of images for one block of outputs; returns its region.
  template <class T>
  Region convolve_block(Direction direction, int block, const Points& points, Images images,
                        bool add, T* to, Thread& thread) const;
  int output_blocks(Direction direction) const;

  /// Scratch of a thread in the two functions above.
  std::size_t scratch() const;

  /// The points of input and output gradient that accumulate() wants.
  template <class T>
  void transform_for_gradient(int images, int first_tile, const T* src, const T* diff_dst,
                              const Points& input, const Points& diff) const;
  /// Unused tiles at the end add nothing to a gradient.
  void clear_padding(int images, const Points& input, const Points& diff) const;

  /// The gradient by the weights at the 36 points, in blocks of winograd::kGradientBlockSize
  /// floats.
  int gradient_blocks() const;
  void accumulate(int block, const Points& input, const Points& diff, bool add, float* sums) const;
  void write_gradient(int block, const float* sums, GradientUse use, float* gradient) const;

  /// A block of the gradient of one image, whose tiles begin at `first_tile`, as a tensor of its
  /// own. `sums` is scratch of winograd::kGradientBlockSize floats.
  void make_part(int block, const Points& input, const Points& diff, int first_tile, float* sums,
                 float* part) const;

  /// Calls use(place in the gradient, place in the part, size) for what lies together in both.
  template <class Use>
  void for_each_run(int block, const Use& use) const {
    const int first_channel = channel_of(block), first_output = output_of(block);
    const auto size = run_size(std::min(winograd::kGradientChannels, channels() - first_channel));
    const int outputs = std::min(winograd::kOutputBlock, filters() - first_output);
    for (int output = 0; output < outputs; output += kChannelBlock)
      use(static_cast<std::size_t>((first_output + output) / kChannelBlock) * run_size(channels()) +
              run_size(first_channel),
          static_cast<std::size_t>(output / kChannelBlock) * size, size);
  }

  const winograd::Image& src_image() const { return src_; }
  const winograd::Image& dst_image() const { return dst_; }

 private:
  /// Output and summed channels of a direction, and the image that comes out.
  const winograd::Image& result(Direction direction) const {
    return direction == Direction::kForward ? dst_ : src_;
  }
  int reduced(Direction direction) const {
    return direction == Direction::kForward ? channels() : filters();
  }
  std::size_t block_size(Direction direction) const {
    return winograd::transformed_weights_size(reduced(direction));
  }
  std::size_t transformed_size(Direction direction) const {
    return static_cast<std::size_t>(output_blocks(direction)) * block_size(direction);
  }
  void transform_all(Direction direction, AlignedBuffer<float>& transformed) const;
  int channel_blocks() const;
  int channel_of(int block) const { return block % channel_blocks() * winograd::kGradientChannels; }
  int output_of(int block) const { return block / channel_blocks() * winograd::kOutputBlock; }
  /// Weights of a block of output channels and so many input channels.
  static constexpr std::size_t run_size(int channels) {
    return std::size_t{9} * kChannelBlock * static_cast<std::size_t>(channels);
  }

  winograd::Image src_, dst_;
  WinogradCut cut_;
  const float* weights_ = nullptr;
  AlignedBuffer<float> forward_weights_, backward_weights_;  ///< [block of outputs][block_size]
};

}  // namespace localbatch
