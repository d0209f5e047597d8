#include <algorithm>

#include "nn/layers.h"
#include "nn/partial_gradients.h"
#include "nn/winograd_operator.h"
#include "nn/winograd_samples.h"

namespace localbatch {

namespace {

using winograd::Direction;
using winograd::Points;

/// Points of several images are kept below this: they should fit into the third-level cache with
/// some room for others.
constexpr std::size_t kSharedBytes = std::size_t{8} << 20;

template <class T>
class WinogradLayer final : public Layer {
 public:
  WinogradLayer(const Source<T>& src, const Destination<T>& dst, const TensorView& weight,
                int max_images, int images_per_slice)
      : src_(src),
        dst_(dst),
        weight_(weight),
        operator_(src.shape(), dst.shape()),
        samples_(operator_, weight),
        tiles_(operator_.tiles_per_image()),
        max_images_(max_images),
        per_slice_(images_per_slice) {
    const std::size_t image_bytes =
        sizeof(float) * (WinogradOperator::points_size(operator_.channels(), tiles_) +
                         WinogradOperator::points_size(operator_.filters(), tiles_));
    const int fitting = static_cast<int>(kSharedBytes / image_bytes);
    stretch_images_ = by_channels() ? max_images : std::max(1, fitting / per_slice_) * per_slice_;
    stretch_images_ = std::min(stretch_images_, max_images);
  }

  MemoryNeeds needs() const override {
    const auto values = [this](const ImageShape& shape) {
      return scratch_bytes<T>(static_cast<std::size_t>(per_slice_) * shape.size());
    };
    const auto points = [this](int channels, int images) {
      return WinogradOperator::points_size(channels, images * tiles_);
    };
    const int channels = operator_.channels(), filters = operator_.filters();
    MemoryNeeds needs;
    needs.thread_bytes = src_.scratch(per_slice_) + values(dst_.shape()) +
                         scratch_bytes<float>(points(channels, per_slice_)) +
                         scratch_bytes<float>(points(filters, per_slice_));
    const std::size_t samples = samples_.scratch(per_slice_);
    if (operator_.cut() == WinogradCut::kByImages) {
      const std::size_t sums = scratch_bytes<float>(sums_size());
      needs.thread_bytes +=
          std::max(operator_.scratch() + sums, samples + (samples_.makes_gradients() ? 0 : sums));
      needs.shared_floats = static_cast<std::size_t>(groups_of(slices(max_images_))) * weight_.size;
    } else {
      needs.thread_bytes += std::max(
          operator_.scratch() + scratch_bytes<float>(winograd::kGradientBlockSize), samples);
      needs.shared_floats = points(channels, stretch_images_) + points(filters, stretch_images_) +
                            (by_channels() ? points(filters, stretch_images_) : sums_size());
    }
    needs.own_bytes = operator_.loaded_bytes();
    return needs;
  }

  void load(std::span<const float> parameters, Thread&) override {
    operator_.load(parameters.data() + weight_.offset, src_.diff_use() != DiffUse::kNone);
  }

  void forward(Team& team, const ForwardPass& pass) override {
    if (by_channels())
      forward_by_channels(team, pass);
    else
      forward_by_images(team, pass);
  }

  void backward(Team& team, const BackwardPass& pass) override {
    if (operator_.cut() == WinogradCut::kByImages) {
      backward_by_images(team, pass);
    } else {
      for (int done = 0; done < pass.images; done += stretch_images_)
        backward_by_channels(team, pass, {done, std::min(stretch_images_, pass.images - done)});
    }
  }

 private:
  bool by_channels() const { return operator_.cut() == WinogradCut::kByChannels; }
  bool adds() const { return src_.diff_use() == DiffUse::kAdd; }
  int slices(int images) const { return SliceGroups(images, per_slice_).slices(); }
  std::size_t sums_size() const {
    return static_cast<std::size_t>(operator_.gradient_blocks()) * winograd::kGradientBlockSize;
  }
  static std::size_t sums_at(int block) {
    return static_cast<std::size_t>(block) * winograd::kGradientBlockSize;
  }

  void forward_by_images(Team& team, const ForwardPass& pass) const {
    const SliceGroups slices(pass.images, per_slice_);
    team.for_each(slices.slices(), Phase::kForward, [&](int index, Thread& thread) {
      const Thread::Frame frame(thread);
      const Images images = slices.slice(index);
      const T* const src = src_.values_forward(images, thread);
      const Points points =
          WinogradOperator::take_points(thread, operator_.channels(), images.count * tiles_);
      winograd::transform_input(src, images.count, operator_.src_image(), 0, points);
      operator_.convolve(Direction::kForward, points, images.count, false, dst_.values(images),
                         thread);
      dst_.written(all_channels(images, dst_.shape()), pass, thread);
    });
  }

  void forward_by_channels(Team& team, const ForwardPass& pass) const {
    const SliceGroups slices(pass.images, per_slice_);
    const Points points = WinogradOperator::points_in(team.shared().data(), operator_.channels(),
                                                      pass.images * tiles_);
    team.for_each(slices.slices(), Phase::kForward, [&](int index, Thread& thread) {
      const Thread::Frame frame(thread);
      const Images images = slices.slice(index);
      winograd::transform_input(src_.values_forward(images, thread), images.count,
                                operator_.src_image(), images.first * tiles_, points);
    });
    const Images all{0, pass.images};
    team.for_each(operator_.output_blocks(Direction::kForward), Phase::kForward,
                  [&](int block, Thread& thread) {
                    const Region written = operator_.convolve_block(
                        Direction::kForward, block, points, all, false, dst_.values(all), thread);
                    dst_.written(written, pass, thread);
                  });
  }

  /// The diff of the source of a slice, from that of the output.
  void backward_data(Images images, const T* diff_dst, Thread& thread) const {
    if (src_.diff_use() == DiffUse::kNone) return;
    const Thread::Frame frame(thread);
    const Thread::Timed timed(thread, Phase::kBackwardData);
    const Points points =
        WinogradOperator::take_points(thread, operator_.filters(), images.count * tiles_);
    winograd::transform_input(diff_dst, images.count, operator_.dst_image(), 0, points);
    operator_.convolve(Direction::kBackwardData, points, images.count, adds(), src_.diff(images),
                       thread);
    src_.diff_written(all_channels(images, src_.shape()), thread);
  }

  /// A group has four slices where there are enough: transforming its sums back costs about a sixth
  /// of a slice.
  static int groups_of(int slices) {
    return std::min(kMaxGroups, std::max(slices / 4, std::min(slices, 4)));
  }

  void backward_by_images(Team& team, const BackwardPass& pass) const {
    const SliceGroups slices(pass.images, per_slice_, groups_of(this->slices(pass.images)));
    const std::span<float> partial =
        team.shared().first(static_cast<std::size_t>(slices.groups()) * weight_.size);
    team.for_each(slices.groups(), Phase::kBackwardWeights, [&](int group, Thread& thread) {
      const Thread::Frame frame(thread);
      float* const gradient = partial.data() + static_cast<std::size_t>(group) * weight_.size;
      const int first = slices.first_slice(group), last = slices.first_slice(group + 1);
      float* const sums = one_by_one(pass) ? gradient : thread.take<float>(sums_size());
      if (one_by_one(pass)) std::fill_n(gradient, weight_.size, 0.0F);
      for (int index = first; index < last; ++index)
        backward_slice(pass, slices.slice(index), index > first, sums, thread);
      if (one_by_one(pass) || pass.gradient.empty()) return;
      for (int block = 0; block < operator_.gradient_blocks(); ++block)
        operator_.write_gradient(block, sums + sums_at(block), GradientUse::kReplace, gradient);
    });
    if (!pass.gradient.empty())
      add_groups(team, partial, slices.groups(), pass.use,
                 pass.gradient.subspan(weight_.offset, weight_.size));
  }

  /// Whether the pass makes the gradient of each image.
  bool one_by_one(const BackwardPass& pass) const {
    return pass.samples != nullptr && samples_.makes_gradients();
  }

  /// `sums` are points of the gradient, or, if that of each image is made, the gradient itself.
  void backward_slice(const BackwardPass& pass, Images images, bool add, float* sums,
                      Thread& thread) const {
    const Thread::Frame frame(thread);
    const T* const diff_dst = dst_.diff(images, thread);
    backward_data(images, diff_dst, thread);
    const T* const src = src_.values_backward(images, thread);
    const int tiles = images.count * tiles_;
    const Points input = WinogradOperator::take_points(thread, operator_.channels(), tiles);
    const Points diff = WinogradOperator::take_points(thread, operator_.filters(), tiles);
    operator_.transform_for_gradient(images.count, 0, src, diff_dst, input, diff);
    if (pass.samples != nullptr) {
      samples_.add_slice(*pass.samples, images, src, diff_dst, input, diff, 0,
                         pass.gradient.empty() ? nullptr : sums, thread);
      samples_.add_inner_products(*pass.samples, images, diff_dst, input, thread);
    }
    if (one_by_one(pass) || pass.gradient.empty()) return;
    operator_.clear_padding(images.count, input, diff);
    for (int block = 0; block < operator_.gradient_blocks(); ++block)
      operator_.accumulate(block, input, diff, add, sums + sums_at(block));
  }

  /// Handles a stretch of images whose points are computed together. If there are several
  /// stretches, the sums are kept from one to the next.
  void backward_by_channels(Team& team, const BackwardPass& pass, Images stretch) const {
    const bool data_by_channels = by_channels() && src_.diff_use() != DiffUse::kNone;
    // The sums come first: their place must not depend on the number of images in a stretch.
    float* memory = team.shared().data() + (by_channels() ? 0 : sums_size());
    const auto next_points = [&](int channels) {
      const Points points = WinogradOperator::points_in(memory, channels, stretch.count * tiles_);
      memory += WinogradOperator::points_size(channels, points.tiles);
      return points;
    };
    const Points input = next_points(operator_.channels());
    const Points diff = next_points(operator_.filters());
    const Points diff_input = data_by_channels ? next_points(operator_.filters()) : Points{};

    operator_.clear_padding(stretch.count, input, diff);
    const SliceGroups slices(stretch.count, per_slice_);
    team.for_each(slices.slices(), Phase::kBackwardWeights, [&](int index, Thread& thread) {
      const Thread::Frame frame(thread);
      const Images slice = slices.slice(index);
      const Images images{stretch.first + slice.first, slice.count};
      const T* const diff_dst = dst_.diff(images, thread);
      const T* const src = src_.values_backward(images, thread);
      const int first_tile = slice.first * tiles_;
      operator_.transform_for_gradient(images.count, first_tile, src, diff_dst, input, diff);
      if (pass.samples != nullptr)
        samples_.add_slice(*pass.samples, images, src, diff_dst, input, diff, first_tile, nullptr,
                           thread);
      if (data_by_channels)
        winograd::transform_input(diff_dst, images.count, operator_.dst_image(), first_tile,
                                  diff_input);
      else
        backward_data(images, diff_dst, thread);
    });

    multiply_by_channels(team, pass, stretch, input, diff, diff_input);
    if (pass.samples != nullptr)
      samples_.add_inner_products(team, *pass.samples, stretch, per_slice_, dst_, input);
  }

  /// The products of a stretch: blocks of the diff of the source, if they are wanted, and blocks of
  /// the gradient, dealt to the threads together.
  void multiply_by_channels(Team& team, const BackwardPass& pass, Images stretch,
                            const Points& input, const Points& diff,
                            const Points& diff_input) const {
    const int data_blocks =
        diff_input.data != nullptr ? operator_.output_blocks(Direction::kBackwardData) : 0;
    const auto data_block = [&](int block, Thread& thread) {
      const Thread::Timed timed(thread, Phase::kBackwardData);
      const Region written = operator_.convolve_block(Direction::kBackwardData, block, diff_input,
                                                      stretch, adds(), src_.diff(stretch), thread);
      src_.diff_written(written, thread);
    };
    const auto gradient_block = [&](int block, Thread& thread) {
      const Thread::Frame frame(thread);
      float* const sums = by_channels() ? thread.take<float>(winograd::kGradientBlockSize)
                                        : team.shared().data() + sums_at(block);
      operator_.accumulate(block, input, diff, stretch.first > 0 && !by_channels(), sums);
      if (stretch.first + stretch.count == pass.images)
        operator_.write_gradient(block, sums, pass.use, pass.gradient.data() + weight_.offset);
    };
    const int gradient_blocks = pass.gradient.empty() ? 0 : operator_.gradient_blocks();
    team.for_each(data_blocks + gradient_blocks, Phase::kBackwardWeights,
                  [&](int work, Thread& thread) {
                    if (work < data_blocks)
                      data_block(work, thread);
                    else
                      gradient_block(work - data_blocks, thread);
                  });
  }

  Source<T> src_;
  Destination<T> dst_;
  TensorView weight_;
  WinogradOperator operator_;
  WinogradSamples samples_;
  int tiles_;  ///< per image
  int max_images_;
  int per_slice_;           ///< images that are transformed at a time
  int stretch_images_ = 1;  ///< images whose points exist at a time where the cut is by channels
};

}  // namespace

int winograd_images_per_slice(const ImageShape& src, int max_images) {
  const int tiles = winograd::tiles_per_image(
      {.channels = src.channels, .height = src.height, .width = src.width});
  return std::clamp(winograd::kTileBlock / tiles, 1, (max_images + 7) / 8);
}

template <class T>
std::unique_ptr<Layer> make_winograd_layer(const Source<T>& src, const Destination<T>& dst,
                                           const TensorView& weight, int max_images,
                                           int images_per_slice) {
  return std::make_unique<WinogradLayer<T>>(src, dst, weight, max_images, images_per_slice);
}

template std::unique_ptr<Layer> make_winograd_layer(const Source<float>&, const Destination<float>&,
                                                    const TensorView&, int, int);
template std::unique_ptr<Layer> make_winograd_layer(const Source<Bfloat16>&,
                                                    const Destination<Bfloat16>&, const TensorView&,
                                                    int, int);

}  // namespace localbatch
