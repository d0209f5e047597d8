#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "nn/layers.h"

namespace localbatch {

namespace {

/// The largest value of every window; the first one in row order where several are equal. Padding
/// never wins.
template <class T>
class MaxPoolLayer final : public Layer {
 public:
  MaxPoolLayer(const Source<T>& src, const Destination<T>& dst, const MaxPool& kind, int max_images)
      : src_(src),
        dst_(dst),
        kind_(kind),
        winner_(static_cast<std::size_t>(max_images) * dst.shape().size()) {}

  MemoryNeeds needs() const override {
    return {.thread_bytes = src_.scratch(1) + 2 * scratch_bytes<T>(src_.shape().size()) +
                            scratch_bytes<T>(dst_.shape().size()),
            .shared_floats = 0,
            .own_bytes = winner_.size() * sizeof(std::int32_t)};
  }

  void forward(Team& team, const ForwardPass& pass) override {
    team.for_each(pass.images, Phase::kElementwise, [&](int image, Thread& thread) {
      const Thread::Frame frame(thread);
      const Images one{image, 1};
      const T* const src = src_.values_forward(one, thread);
      T* const dst = dst_.values(one);
      for_each_output([&](std::size_t plane, int row, int column, std::size_t at) {
        pool_window(src + plane, row, column, dst + at, winners(image) + at);
      });
      dst_.written(all_channels(one, dst_.shape()), pass, thread);
    });
  }

  void backward(Team& team, const BackwardPass& pass) override {
    if (src_.diff_use() == DiffUse::kNone) return;
    team.for_each(pass.images, Phase::kElementwise, [this](int image, Thread& thread) {
      const Thread::Frame frame(thread);
      const Images one{image, 1};
      const T* const diff_dst = dst_.diff(one, thread);
      // Windows overlap, so a pixel may collect several diffs: their sum is taken in f32.
      float* const sum = thread.take<float>(src_.shape().size());
      std::fill_n(sum, src_.shape().size(), 0.0F);
      for_each_output([&](std::size_t plane, int, int, std::size_t at) {
        for (std::size_t lane = 0; lane < kChannelBlock; ++lane)
          sum[plane + static_cast<std::size_t>(winners(image)[at + lane]) * kChannelBlock + lane] +=
              to_float(diff_dst[at + lane]);
      });
      T* const diff_src = thread.take<T>(src_.shape().size());
      for (std::size_t i = 0; i < src_.shape().size(); i += kChannelBlock)
        store(diff_src + i, localbatch::load(sum + i));
      src_.contribute(one, diff_src);
      src_.diff_written(all_channels(one, src_.shape()), thread);
    });
  }

 private:
  struct Window {
    int first, last;
  };

  Window window(int output, int size) const {
    const int first = output * kind_.stride - kind_.padding;
    return {std::max(first, 0), std::min(first + kind_.kernel, size)};
  }

  std::int32_t* winners(int image) {
    return winner_.data() + static_cast<std::size_t>(image) * dst_.shape().size();
  }

  void pool_window(const T* src, int row, int column, T* dst, std::int32_t* winner) const {
    float best[kChannelBlock];
    std::int32_t from[kChannelBlock] = {};
    std::fill_n(best, kChannelBlock, -std::numeric_limits<float>::infinity());
    const ImageShape& shape = src_.shape();
    const Window rows = window(row, shape.height), columns = window(column, shape.width);
    for (int y = rows.first; y < rows.last; ++y)
      for (int x = columns.first; x < columns.last; ++x) {
        const std::int32_t pixel = y * shape.width + x;
        for (int lane = 0; lane < kChannelBlock; ++lane) {
          const float value = to_float(src[pixel * kChannelBlock + lane]);
          if (value > best[lane] || (x == columns.first && y == rows.first)) {
            best[lane] = value;
            from[lane] = pixel;
          }
        }
      }
    store(dst, localbatch::load(best));
    std::copy_n(from, kChannelBlock, winner);
  }

  /// Calls body(offset of the source plane, row, column, offset of the output pixel).
  template <class Body>
  void for_each_output(const Body& body) const {
    const ImageShape &src = src_.shape(), &dst = dst_.shape();
    const std::size_t src_plane =
        src.size() / static_cast<std::size_t>(src.channels) * kChannelBlock;
    std::size_t at = 0;
    for (int block = 0; block < dst.channels / kChannelBlock; ++block)
      for (int row = 0; row < dst.height; ++row)
        for (int column = 0; column < dst.width; ++column, at += kChannelBlock)
          body(static_cast<std::size_t>(block) * src_plane, row, column, at);
  }

  Source<T> src_;
  Destination<T> dst_;
  MaxPool kind_;
  std::vector<std::int32_t> winner_;  ///< pixel of the source that won, for every output value
};

}  // namespace

template <class T>
std::unique_ptr<Layer> make_max_pool_layer(const Source<T>& src, const Destination<T>& dst,
                                           const MaxPool& kind, int max_images) {
  return std::make_unique<MaxPoolLayer<T>>(src, dst, kind, max_images);
}

template std::unique_ptr<Layer> make_max_pool_layer(const Source<float>&, const Destination<float>&,
                                                    const MaxPool&, int);
template std::unique_ptr<Layer> make_max_pool_layer(const Source<Bfloat16>&,
                                                    const Destination<Bfloat16>&, const MaxPool&,
                                                    int);

}  // namespace localbatch
