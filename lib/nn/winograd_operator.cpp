#include "nn/winograd_operator.h"

namespace localbatch {

namespace {

winograd::Image image(const ImageShape& shape) {
  return {.channels = shape.channels, .height = shape.height, .width = shape.width};
}

constexpr int blocks(int count, int size) { return (count + size - 1) / size; }

WinogradCut winograd_cut(int channels, int filters) {
  const int weights = channels * filters;
  if (weights <= 64 * 64) return WinogradCut::kByImages;
  return weights <= 128 * 128 ? WinogradCut::kGradientByChannels : WinogradCut::kByChannels;
}

}  // namespace

WinogradOperator::WinogradOperator(const ImageShape& src, const ImageShape& dst)
    : src_(image(src)), dst_(image(dst)), cut_(winograd_cut(src.channels, dst.channels)) {}

void WinogradOperator::load(const float* weights, bool backward_data) {
  weights_ = weights;
  if (cut_ == WinogradCut::kByChannels) return;
  transform_all(Direction::kForward, forward_weights_);
  if (backward_data) transform_all(Direction::kBackwardData, backward_weights_);
}

std::size_t WinogradOperator::loaded_bytes() const {
  if (cut_ == WinogradCut::kByChannels) return 0;
  return allocated_bytes(transformed_size(Direction::kForward) * sizeof(float)) +
         allocated_bytes(transformed_size(Direction::kBackwardData) * sizeof(float));
}

void WinogradOperator::transform_all(Direction direction, AlignedBuffer<float>& transformed) const {
  if (transformed.size() == 0) transformed = AlignedBuffer<float>(transformed_size(direction));
  for (int block = 0; block < output_blocks(direction); ++block)
    winograd::transform_weights(
        weights_, channels(), filters(), direction, block * winograd::kOutputBlock,
        transformed.data() + static_cast<std::size_t>(block) * block_size(direction));
}

std::size_t WinogradOperator::points_size(int channels, int tiles) {
  return winograd::kPoints * winograd::plane_size(channels, winograd::round_up_tiles(tiles));
}

winograd::Points WinogradOperator::points_in(float* memory, int channels, int tiles) {
  const int rounded = winograd::round_up_tiles(tiles);
  return {.data = memory, .plane = winograd::plane_size(channels, rounded), .tiles = rounded};
}

winograd::Points WinogradOperator::take_points(Thread& thread, int channels, int tiles) {
  return points_in(thread.take<float>(points_size(channels, tiles)), channels, tiles);
}

template <class T>
void WinogradOperator::convolve(Direction direction, const Points& points, int images, bool add,
                                T* to, Thread& thread) const {
  const Thread::Frame frame(thread);
  float* const product = thread.take<float>(winograd::kProductSize);
  const AlignedBuffer<float>& transformed =
      direction == Direction::kForward ? forward_weights_ : backward_weights_;
  for (int block = 0; block < output_blocks(direction); ++block)
    winograd::multiply(points, reduced(direction),
                       transformed.data() + static_cast<std::size_t>(block) * block_size(direction),
                       block * winograd::kOutputBlock, result(direction), 0, images, add, to,
                       product);
}

template <class T>
Region WinogradOperator::convolve_block(Direction direction, int block, const Points& points,
                                        Images images, bool add, T* to, Thread& thread) const {
  const Thread::Frame frame(thread);
  const int first = block * winograd::kOutputBlock;
  float* const transformed = thread.take<float>(block_size(direction));
  float* const product = thread.take<float>(winograd::kProductSize);
  {
    const Thread::Timed timed(thread, Phase::kWeights);
    winograd::transform_weights(weights_, channels(), filters(), direction, first, transformed);
  }
  winograd::multiply(points, reduced(direction), transformed, first, result(direction), 0,
                     images.count, add, to, product);
  return {.images = images,
          .first_channel = first,
          .channels = std::min(winograd::kOutputBlock, result(direction).channels - first)};
}

int WinogradOperator::output_blocks(Direction direction) const {
  return blocks(result(direction).channels, winograd::kOutputBlock);
}

std::size_t WinogradOperator::scratch() const {
  const int widest = std::max(channels(), filters());
  return scratch_bytes<float>(winograd::kProductSize) +
         (cut_ == WinogradCut::kByChannels
              ? scratch_bytes<float>(winograd::transformed_weights_size(widest))
              : 0);
}

template <class T>
void WinogradOperator::transform_for_gradient(int images, int first_tile, const T* src,
                                              const T* diff_dst, const Points& input,
                                              const Points& diff) const {
  winograd::transform_input(src, images, src_, first_tile, input);
  winograd::transform_output_gradient(diff_dst, images, dst_, first_tile, diff);
}

void WinogradOperator::clear_padding(int images, const Points& input, const Points& diff) const {
  winograd::clear_tiles(input, channels(), images * tiles_per_image(), input.tiles);
  winograd::clear_tiles(diff, filters(), images * tiles_per_image(), diff.tiles);
}

int WinogradOperator::channel_blocks() const {
  return blocks(channels(), winograd::kGradientChannels);
}

int WinogradOperator::gradient_blocks() const {
  return channel_blocks() * output_blocks(Direction::kForward);
}

void WinogradOperator::accumulate(int block, const Points& input, const Points& diff, bool add,
                                  float* sums) const {
  winograd::accumulate_weight_gradient(input, channels(), diff, filters(), input.tiles,
                                       channel_of(block), output_of(block), add, sums);
}

void WinogradOperator::write_gradient(int block, const float* sums, GradientUse use,
                                      float* gradient) const {
  winograd::write_weight_gradient(sums, channels(), filters(), channel_of(block), output_of(block),
                                  use == GradientUse::kAdd, gradient);
}

void WinogradOperator::make_part(int block, const Points& input, const Points& diff, int first_tile,
                                 float* sums, float* part) const {
  const auto from_tile = [first_tile](Points points) {
    points.data += static_cast<std::ptrdiff_t>(first_tile) * kChannelBlock;
    return points;
  };
  const int first_channel = channel_of(block), first_output = output_of(block);
  winograd::accumulate_weight_gradient(from_tile(input), channels(), from_tile(diff), filters(),
                                       tiles_per_image(), first_channel, first_output, false, sums);
  winograd::write_weight_gradient(
      sums, std::min(winograd::kGradientChannels, channels() - first_channel),
      std::min(winograd::kOutputBlock, filters() - first_output), 0, 0, false, part);
}

template void WinogradOperator::convolve(Direction, const Points&, int, bool, float*,
                                         Thread&) const;
template Region WinogradOperator::convolve_block(Direction, int, const Points&, Images, bool,
                                                 float*, Thread&) const;
template void WinogradOperator::transform_for_gradient(int, int, const float*, const float*,
                                                       const Points&, const Points&) const;

template void WinogradOperator::convolve(Direction, const Points&, int, bool, Bfloat16*,
                                         Thread&) const;
template Region WinogradOperator::convolve_block(Direction, int, const Points&, Images, bool,
                                                 Bfloat16*, Thread&) const;
template void WinogradOperator::transform_for_gradient(int, int, const Bfloat16*, const Bfloat16*,
                                                       const Points&, const Points&) const;

}  // namespace localbatch
