#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "nn/layers.h"

namespace localbatch {

namespace {

/// The largest value of every window; the first one in row order where several are equal. Padding
/// never wins.
class MaxPoolLayer final : public Layer {
 public:
  MaxPoolLayer(const Wiring& wiring, const MaxPool& kind, int max_images)
      : wiring_(wiring),
        kind_(kind),
        winner_(static_cast<std::size_t>(max_images) * wiring.dst->shape.size()) {}

  void forward(const ForwardPass& pass) override {
    for_each_output(
        pass.images, [this](int image, std::size_t plane, int row, int column, std::size_t at) {
          const float* const src = wiring_.src->image(image) + plane;
          float best[kChannelBlock];
          std::int32_t from[kChannelBlock] = {};
          std::fill_n(best, kChannelBlock, -std::numeric_limits<float>::infinity());
          const ImageShape& shape = wiring_.src->shape;
          const Window rows = window(row, shape.height), columns = window(column, shape.width);
          for (int y = rows.first; y < rows.last; ++y)
            for (int x = columns.first; x < columns.last; ++x) {
              const std::int32_t pixel = y * shape.width + x;
              for (int lane = 0; lane < kChannelBlock; ++lane) {
                const float value = src[pixel * kChannelBlock + lane];
                if (value > best[lane] || (x == columns.first && y == rows.first)) {
                  best[lane] = value;
                  from[lane] = pixel;
                }
              }
            }
          std::copy_n(best, kChannelBlock, wiring_.dst->mutable_image(image) + at);
          std::copy_n(from, kChannelBlock, winners(image) + at);
        });
  }

  void backward(const BackwardPass& pass) override {
    if (wiring_.src_diff == DiffUse::kNone) return;
    if (wiring_.src_diff == DiffUse::kWrite)
      std::fill_n(wiring_.src->diff,
                  static_cast<std::size_t>(pass.images) * wiring_.src->shape.size(), 0.0F);
    for_each_output(pass.images, [this](int image, std::size_t plane, int, int, std::size_t at) {
      float* const diff_src = wiring_.src->diff_image(image) + plane;
      const float* const diff_dst = wiring_.dst->diff_image(image) + at;
      for (int lane = 0; lane < kChannelBlock; ++lane)
        diff_src[winners(image)[at + static_cast<std::size_t>(lane)] * kChannelBlock + lane] +=
            diff_dst[lane];
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
    return winner_.data() + static_cast<std::size_t>(image) * wiring_.dst->shape.size();
  }

  /// Calls body(image, offset of the source plane, row, column, offset of the output pixel).
  template <class Body>
  void for_each_output(int images, const Body& body) {
    const ImageShape &src = wiring_.src->shape, &dst = wiring_.dst->shape;
    const std::size_t src_plane =
        src.size() / static_cast<std::size_t>(src.channels) * kChannelBlock;
    wiring_.team.for_each_slice(images, [&](const Slice& slice, int) {
      for (int image = slice.first; image < slice.first + slice.images; ++image) {
        std::size_t at = 0;
        for (int block = 0; block < dst.channels / kChannelBlock; ++block)
          for (int row = 0; row < dst.height; ++row)
            for (int column = 0; column < dst.width; ++column, at += kChannelBlock)
              body(image, static_cast<std::size_t>(block) * src_plane, row, column, at);
      }
    });
  }

  Wiring wiring_;
  MaxPool kind_;
  std::vector<std::int32_t> winner_;  ///< pixel of the source that won, for every output value
};

}  // namespace

std::unique_ptr<Layer> make_max_pool_layer(const Wiring& wiring, const MaxPool& kind,
                                           int max_images) {
  return std::make_unique<MaxPoolLayer>(wiring, kind, max_images);
}

}  // namespace localbatch
