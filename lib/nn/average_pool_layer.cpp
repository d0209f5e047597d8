#include "nn/layers.h"

namespace localbatch {

namespace {

/// The mean over all pixels of every channel: [C/block][H W][block] to [C].
class AveragePoolLayer final : public Layer {
 public:
  explicit AveragePoolLayer(const Wiring& wiring)
      : wiring_(wiring),
        channels_(static_cast<std::size_t>(wiring.dst->shape.channels)),
        pixels_(wiring.src->shape.size() / channels_) {}

  void forward(const ForwardPass& pass) override {
    for_each_channel(pass.images, [this](int image, std::size_t c, std::size_t at) {
      const float* const src = wiring_.src->image(image) + at;
      double sum = 0;
      for (std::size_t pixel = 0; pixel < pixels_; ++pixel)
        sum += double{src[pixel * kChannelBlock]};
      wiring_.dst->mutable_image(image)[c] = static_cast<float>(sum / static_cast<double>(pixels_));
    });
  }

  void backward(const BackwardPass& pass) override {
    const bool add = wiring_.src_diff == DiffUse::kAdd;
    for_each_channel(pass.images, [this, add](int image, std::size_t c, std::size_t at) {
      const float diff = wiring_.dst->diff_image(image)[c] / static_cast<float>(pixels_);
      float* const diff_src = wiring_.src->diff_image(image) + at;
      for (std::size_t pixel = 0; pixel < pixels_; ++pixel) {
        float& value = diff_src[pixel * kChannelBlock];
        value = add ? value + diff : diff;
      }
    });
  }

 private:
  /// Calls body(image, channel, offset of the channel's first pixel).
  template <class Body>
  void for_each_channel(int images, const Body& body) const {
    wiring_.team.for_each_slice(images, [&](const Slice& slice, int) {
      for (int image = slice.first; image < slice.first + slice.images; ++image)
        for (std::size_t c = 0; c < channels_; ++c)
          body(image, c, c / kChannelBlock * kChannelBlock * pixels_ + c % kChannelBlock);
    });
  }

  Wiring wiring_;
  std::size_t channels_, pixels_;
};

}  // namespace

std::unique_ptr<Layer> make_average_pool_layer(const Wiring& wiring) {
  return std::make_unique<AveragePoolLayer>(wiring);
}

}  // namespace localbatch
