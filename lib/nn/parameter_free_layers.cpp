#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "core/vector.h"
#include "nn/elementwise.h"
#include "nn/layers.h"

namespace localbatch {

namespace {

/// The mean over all pixels of every channel: [C/block][H W][block] to [C].
template <class T>
class AveragePoolLayer final : public Layer {
 public:
  AveragePoolLayer(const Source<T>& src, const Destination<float>& dst)
      : src_(src),
        dst_(dst),
        channels_(static_cast<std::size_t>(dst.shape().channels)),
        pixels_(src.shape().size() / channels_) {}

  MemoryNeeds needs() const override {
    return {.thread_bytes = 2 * src_.scratch(1) + scratch_bytes<float>(channels_)};
  }

  void forward(Team& team, const ForwardPass& pass) override {
    team.for_each(pass.images, Phase::kElementwise, [&](int image, Thread& thread) {
      const Thread::Frame frame(thread);
      const Images one{image, 1};
      const T* const src = src_.values_forward(one, thread);
      float* const dst = dst_.values(one);
      for (std::size_t c = 0; c < channels_; c += kChannelBlock)
        store(dst + c, mean(src + c * pixels_, pixels_));
      dst_.written(all_channels(one, dst_.shape()), pass, thread);
    });
  }

  void backward(Team& team, const BackwardPass& pass) override {
    if (src_.diff_use() == DiffUse::kNone) return;
    team.for_each(pass.images, Phase::kElementwise, [this](int image, Thread& thread) {
      const Thread::Frame frame(thread);
      const Images one{image, 1};
      const float* const diff_dst = dst_.diff(one, thread);
      T* const diff_src = thread.take<T>(src_.shape().size());
      const Vector share = broadcast(1.0F / static_cast<float>(pixels_));
      for (std::size_t c = 0; c < channels_; c += kChannelBlock) {
        const Vector diff = localbatch::load(diff_dst + c) * share;
        for (std::size_t pixel = 0; pixel < pixels_; ++pixel)
          store(diff_src + c * pixels_ + pixel * kChannelBlock, diff);
      }
      src_.contribute(one, diff_src);
      src_.diff_written(all_channels(one, src_.shape()), thread);
    });
  }

 private:
  Source<T> src_;
  Destination<float> dst_;
  std::size_t channels_, pixels_;
};

}  // namespace

template <class T>
std::unique_ptr<Layer> make_average_pool_layer(const Source<T>& src,
                                               const Destination<float>& dst) {
  return std::make_unique<AveragePoolLayer<T>>(src, dst);
}

template std::unique_ptr<Layer> make_average_pool_layer(const Source<float>&,
                                                        const Destination<float>&);
template std::unique_ptr<Layer> make_average_pool_layer(const Source<Bfloat16>&,
                                                        const Destination<float>&);

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

namespace {

template <class T>
class ReluLayer final : public Layer {
 public:
  ReluLayer(const Source<T>& src, const Destination<T>& dst) : src_(src), dst_(dst) {}

  MemoryNeeds needs() const override { return {.thread_bytes = 2 * src_.scratch(1)}; }

  void forward(Team& team, const ForwardPass& pass) override {
    team.for_each(pass.images, Phase::kElementwise, [&](int image, Thread& thread) {
      const Thread::Frame frame(thread);
      const Images one{image, 1};
      relu(src_.values_forward(one, thread), src_.shape().size(), dst_.values(one));
      dst_.written(all_channels(one, dst_.shape()), pass, thread);
    });
  }

  void backward(Team& team, const BackwardPass& pass) override {
    if (src_.diff_use() == DiffUse::kNone) return;
    team.for_each(pass.images, Phase::kElementwise, [this](int image, Thread& thread) {
      const Thread::Frame frame(thread);
      const Images one{image, 1};
      const std::size_t count = src_.shape().size();
      T* const diff = thread.take<T>(count);
      mask(dst_.values(one), dst_.diff(one, thread), count, diff);
      src_.contribute(one, diff);
      src_.diff_written(all_channels(one, src_.shape()), thread);
    });
  }

 private:
  Source<T> src_;
  Destination<T> dst_;
};

}  // namespace

template <class T>
std::unique_ptr<Layer> make_relu_layer(const Source<T>& src, const Destination<T>& dst) {
  return std::make_unique<ReluLayer<T>>(src, dst);
}

template std::unique_ptr<Layer> make_relu_layer(const Source<float>&, const Destination<float>&);
template std::unique_ptr<Layer> make_relu_layer(const Source<Bfloat16>&,
                                                const Destination<Bfloat16>&);

namespace {

/// Every stride-th pixel of the source; channels beyond those of the source are zero.
template <class T>
class PadShortcutLayer final : public Layer {
 public:
  PadShortcutLayer(const Source<T>& src, const Destination<T>& dst, const PadShortcut& kind)
      : src_(src), dst_(dst), stride_(kind.stride) {}

  MemoryNeeds needs() const override {
    return {.thread_bytes = 2 * (src_.scratch(1) + scratch_bytes<T>(dst_.shape().size()))};
  }

  void forward(Team& team, const ForwardPass& pass) override {
    team.for_each(pass.images, Phase::kElementwise, [&](int image, Thread& thread) {
      const Thread::Frame frame(thread);
      const Images one{image, 1};
      const T* const src = src_.values_forward(one, thread);
      T* const dst = dst_.values(one);
      std::fill_n(dst, dst_.shape().size(), T{});
      for_each_kept_pixel([=](std::size_t from, std::size_t to) {
        std::copy_n(src + from, kChannelBlock, dst + to);
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
      T* const diff_src = thread.take<T>(src_.shape().size());
      std::fill_n(diff_src, src_.shape().size(), T{});
      for_each_kept_pixel([=](std::size_t from, std::size_t to) {
        std::copy_n(diff_dst + to, kChannelBlock, diff_src + from);
      });
      src_.contribute(one, diff_src);
      src_.diff_written(all_channels(one, src_.shape()), thread);
    });
  }

 private:
  /// Calls body(offset in the source, offset in the destination), a channel block at a time.
  template <class Body>
  void for_each_kept_pixel(const Body& body) const {
    const ImageShape &src = src_.shape(), &dst = dst_.shape();
    const auto pixel = [](const ImageShape& shape, int block, int row, int column) {
      return static_cast<std::size_t>((block * shape.height + row) * shape.width + column) *
             kChannelBlock;
    };
    for (int block = 0; block < src.channels / kChannelBlock; ++block)
      for (int row = 0; row < dst.height; ++row)
        for (int column = 0; column < dst.width; ++column)
          body(pixel(src, block, row * stride_, column * stride_), pixel(dst, block, row, column));
  }

  Source<T> src_;
  Destination<T> dst_;
  int stride_;
};

}  // namespace

template <class T>
std::unique_ptr<Layer> make_pad_shortcut_layer(const Source<T>& src, const Destination<T>& dst,
                                               const PadShortcut& kind) {
  return std::make_unique<PadShortcutLayer<T>>(src, dst, kind);
}

template std::unique_ptr<Layer> make_pad_shortcut_layer(const Source<float>&,
                                                        const Destination<float>&,
                                                        const PadShortcut&);
template std::unique_ptr<Layer> make_pad_shortcut_layer(const Source<Bfloat16>&,
                                                        const Destination<Bfloat16>&,
                                                        const PadShortcut&);

}  // namespace localbatch
