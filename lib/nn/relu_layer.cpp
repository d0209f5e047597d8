#include "nn/elementwise.h"
#include "nn/layers.h"

namespace localbatch {

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

}  // namespace localbatch
