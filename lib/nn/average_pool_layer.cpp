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

}  // namespace localbatch
