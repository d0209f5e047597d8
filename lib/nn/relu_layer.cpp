#include "nn/layers.h"

namespace localbatch {

namespace {

class ReluLayer final : public Layer {
 public:
  explicit ReluLayer(const Wiring& wiring) : wiring_(wiring) {}

  void forward(const ForwardPass& pass) override {
    for_each_value(pass.images, [this](std::size_t i) {
      const float x = wiring_.src->values[i];
      wiring_.dst->storage.data()[i] = x < 0 ? 0.0F : x;
    });
  }

  void backward(const BackwardPass& pass) override {
    if (wiring_.src_diff == DiffUse::kNone) return;
    const bool add = wiring_.src_diff == DiffUse::kAdd;
    for_each_value(pass.images, [this, add](std::size_t i) {
      const float diff = wiring_.dst->values[i] > 0 ? wiring_.dst->diff[i] : 0.0F;
      wiring_.src->diff[i] = add ? wiring_.src->diff[i] + diff : diff;
    });
  }

 private:
  template <class Body>
  void for_each_value(int images, const Body& body) const {
    const std::size_t size = wiring_.dst->shape.size();
    wiring_.team.for_each_slice(images, [&](const Slice& slice, int) {
      const std::size_t first = static_cast<std::size_t>(slice.first) * size;
      const std::size_t count = static_cast<std::size_t>(slice.images) * size;
      for (std::size_t i = first; i < first + count; ++i) body(i);
    });
  }

  Wiring wiring_;
};

}  // namespace

std::unique_ptr<Layer> make_relu_layer(const Wiring& wiring) {
  return std::make_unique<ReluLayer>(wiring);
}

}  // namespace localbatch
