#include <algorithm>
#include <cstring>

#include "nn/layers.h"

namespace localbatch {

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
