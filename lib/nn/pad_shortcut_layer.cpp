#include <algorithm>

#include "nn/layers.h"

namespace localbatch {

namespace {

/// Every stride-th pixel of the source; channels beyond those of the source are zero.
class PadShortcutLayer final : public Layer {
 public:
  PadShortcutLayer(const Wiring& wiring, const PadShortcut& kind)
      : wiring_(wiring), stride_(kind.stride) {}

  void forward(const ForwardPass& pass) override {
    wiring_.team.for_each_slice(pass.images, [this](const Slice& slice, int) {
      std::fill_n(wiring_.dst->mutable_image(slice.first),
                  static_cast<std::size_t>(slice.images) * wiring_.dst->shape.size(), 0.0F);
      for_each_kept_pixel(slice, [this](int image, std::size_t from, std::size_t to) {
        std::copy_n(wiring_.src->image(image) + from, kChannelBlock,
                    wiring_.dst->mutable_image(image) + to);
      });
    });
  }

  void backward(const BackwardPass& pass) override {
    wiring_.team.for_each_slice(pass.images, [this](const Slice& slice, int) {
      if (wiring_.src_diff == DiffUse::kWrite)
        std::fill_n(wiring_.src->diff_image(slice.first),
                    static_cast<std::size_t>(slice.images) * wiring_.src->shape.size(), 0.0F);
      for_each_kept_pixel(slice, [this](int image, std::size_t from, std::size_t to) {
        float* const diff_src = wiring_.src->diff_image(image) + from;
        const float* const diff_dst = wiring_.dst->diff_image(image) + to;
        for (int lane = 0; lane < kChannelBlock; ++lane) diff_src[lane] += diff_dst[lane];
      });
    });
  }

 private:
  /// Calls body(image, offset in the source, offset in the destination), a channel block at a time.
  template <class Body>
  void for_each_kept_pixel(const Slice& slice, const Body& body) const {
    const ImageShape &src = wiring_.src->shape, &dst = wiring_.dst->shape;
    const auto pixel = [](const ImageShape& shape, int block, int row, int column) {
      return static_cast<std::size_t>((block * shape.height + row) * shape.width + column) *
             kChannelBlock;
    };
    for (int image = slice.first; image < slice.first + slice.images; ++image)
      for (int block = 0; block < src.channels / kChannelBlock; ++block)
        for (int row = 0; row < dst.height; ++row)
          for (int column = 0; column < dst.width; ++column)
            body(image, pixel(src, block, row * stride_, column * stride_),
                 pixel(dst, block, row, column));
  }

  Wiring wiring_;
  int stride_;
};

}  // namespace

std::unique_ptr<Layer> make_pad_shortcut_layer(const Wiring& wiring, const PadShortcut& kind) {
  return std::make_unique<PadShortcutLayer>(wiring, kind);
}

}  // namespace localbatch
