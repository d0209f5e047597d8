#include "core/vector.h"
#include "nn/layers.h"

namespace localbatch {

namespace {

/// y = 2 x, for values in blocks of channels.
template <class T>
class DummyLayer final : public Layer {
 public:
  DummyLayer(const Source<T>& src, const Destination<T>& dst) : src_(src), dst_(dst) {}

  MemoryNeeds needs() const override { return {.thread_bytes = 2 * src_.scratch(1)}; }

  void forward(Team& team, const ForwardPass& pass) override {
    team.for_each(pass.images, Phase::kElementwise, [&](int image, Thread& thread) {
      const Thread::Frame frame(thread);
      const Images one{image, 1};
      const T* const src = src_.values_forward(one, thread);
      T* const dst = dst_.values(one);
      for (std::size_t i = 0; i < src_.shape().size(); i += kChannelBlock)
        store(dst + i, 2 * localbatch::load(src + i));
      dst_.written(all_channels(one, dst_.shape()), pass, thread);
    });
  }

  void backward(Team& team, const BackwardPass& pass) override {
    if (src_.diff_use() == DiffUse::kNone) return;
    team.for_each(pass.images, Phase::kElementwise, [this](int image, Thread& thread) {
      const Thread::Frame frame(thread);
      const Images one{image, 1};
      const T* const diff_dst = dst_.diff(one, thread);
      const std::size_t count = src_.shape().size();
      T* const diff = thread.take<T>(count);
      for (std::size_t i = 0; i < count; i += kChannelBlock)
        store(diff + i, 2 * localbatch::load(diff_dst + i));
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
std::unique_ptr<Layer> make_dummy_layer(const Source<T>& src, const Destination<T>& dst) {
  return std::make_unique<DummyLayer<T>>(src, dst);
}

template std::unique_ptr<Layer> make_dummy_layer(const Source<float>&, const Destination<float>&);
template std::unique_ptr<Layer> make_dummy_layer(const Source<Bfloat16>&,
                                                 const Destination<Bfloat16>&);

}  // namespace localbatch
