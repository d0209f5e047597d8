#include "nn/reference_loss.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace localbatch {

namespace {

/// One value of the model for all images.
struct Values {
  ImageShape shape;
  int images = 0;
  std::vector<double> data;

  Values(const ImageShape& of, int count)
      : shape(of), images(count), data(of.size() * static_cast<std::size_t>(count)) {}

  double& at(int image, int channel, int row, int column) {
    const int index =
        ((image * shape.channels + channel) * shape.height + row) * shape.width + column;
    return data[static_cast<std::size_t>(index)];
  }
  double at(int image, int channel, int row, int column) const {
    return const_cast<Values&>(*this).at(image, channel, row, column);
  }
  bool contains(int row, int column) const {
    return row >= 0 && row < shape.height && column >= 0 && column < shape.width;
  }

  /// Sets every entry to body(image, channel, row, column).
  template <class Body>
  void fill(const Body& body) {
    for (int n = 0; n < images; ++n)
      for (int c = 0; c < shape.channels; ++c)
        for (int y = 0; y < shape.height; ++y)
          for (int x = 0; x < shape.width; ++x) at(n, c, y, x) = body(n, c, y, x);
  }
};

class Interpreter {
 public:
  Interpreter(const ImageModel& model, std::span<const float> canonical, const TestBatch& batch)
      : next_(canonical.begin()) {
    Values& input = values_.emplace_back(model.input(), static_cast<int>(batch.targets.size()));
    std::ranges::copy(batch.pixels, input.data.begin());
    for (const LayerDescription& layer : model.layers()) {
      Values dst(layer.dst, input_images());
      std::visit([&](const auto& kind) { run(kind, value(kind.src), dst); }, layer.kind);
      values_.push_back(std::move(dst));
    }
  }

  const Values& logits() const { return values_.back(); }

 private:
  int input_images() const { return values_.front().images; }
  const Values& value(ValueId id) const { return values_[static_cast<std::size_t>(id)]; }

  std::span<const float> take(std::size_t count) {
    const std::span<const float> taken(next_, count);
    next_ += static_cast<std::ptrdiff_t>(count);
    return taken;
  }

  void run(const Convolution& kind, const Values& src, Values& dst) {
    const int k = kind.kernel, inputs = src.shape.channels;
    const auto weight = take(static_cast<std::size_t>(kind.channels) * inputs * k * k);
    dst.fill([&](int n, int c, int y, int x) {
      double sum = 0;
      for (int i = 0; i < inputs; ++i)
        for (int dy = 0; dy < k; ++dy)
          for (int dx = 0; dx < k; ++dx) {
            const int row = y * kind.stride - kind.padding + dy;
            const int column = x * kind.stride - kind.padding + dx;
            const int tap = ((c * inputs + i) * k + dy) * k + dx;
            if (src.contains(row, column))
              sum += double{weight[static_cast<std::size_t>(tap)]} * src.at(n, i, row, column);
          }
      return sum;
    });
  }

  void run(const Normalization& kind, const Values& src, Values& dst) {
    const auto channels = static_cast<std::size_t>(src.shape.channels);
    const auto scale = take(channels), shift = take(channels);
    // Values that share their moments: of one channel, or of a group of channels of one image.
    const int sets = kind.is_batch_norm() ? src.shape.channels : src.images * kind.groups;
    const auto set_of = [&](int n, int c) {
      return static_cast<std::size_t>(
          kind.is_batch_norm() ? c : n * kind.groups + c * kind.groups / src.shape.channels);
    };
    const double count = static_cast<double>(src.data.size()) / sets;
    std::vector<double> mean(static_cast<std::size_t>(sets)), variance(mean.size());
    dst.fill([&](int n, int c, int y, int x) {
      return mean[set_of(n, c)] += src.at(n, c, y, x) / count;
    });
    dst.fill([&](int n, int c, int y, int x) {
      const double centered = src.at(n, c, y, x) - mean[set_of(n, c)];
      return variance[set_of(n, c)] += centered * centered / count;
    });
    dst.fill([&](int n, int c, int y, int x) {
      const auto i = static_cast<std::size_t>(c);
      const std::size_t set = set_of(n, c);
      const double normal = (src.at(n, c, y, x) - mean[set]) / std::sqrt(variance[set] + 1e-5);
      const double residual = kind.add >= 0 ? value(kind.add).at(n, c, y, x) : 0;
      const double result = double{scale[i]} * normal + double{shift[i]} + residual;
      return kind.relu ? std::max(result, 0.0) : result;
    });
  }

  void run(const Dense& kind, const Values& src, Values& dst) {
    const auto features = src.shape.size();
    const auto weight = take(static_cast<std::size_t>(kind.features) * features);
    const auto bias = take(static_cast<std::size_t>(kind.features));
    // Features of anything but the input come in the order of memory, channel blocks last.
    const bool plain = kind.src == 0;
    const auto pixels = static_cast<std::size_t>(src.shape.height) * src.shape.width;
    const auto block = static_cast<std::size_t>(plain || pixels == 1 ? 1 : kChannelBlock);
    dst.fill([&](int n, int f, int, int) {
      double sum = double{bias[static_cast<std::size_t>(f)]};
      for (std::size_t i = 0; i < features; ++i) {
        const std::size_t channel = i / (pixels * block) * block + i % block;
        const std::size_t pixel = i / block % pixels;
        sum += double{weight[static_cast<std::size_t>(f) * features + i]} *
               src.data[(static_cast<std::size_t>(n) * features) + channel * pixels + pixel];
      }
      return sum;
    });
  }

  void run(const Relu&, const Values& src, Values& dst) {
    dst.fill([&](int n, int c, int y, int x) { return std::max(src.at(n, c, y, x), 0.0); });
  }

  void run(const MaxPool& kind, const Values& src, Values& dst) {
    dst.fill([&](int n, int c, int y, int x) {
      double best = -std::numeric_limits<double>::infinity();
      for (int dy = 0; dy < kind.kernel; ++dy)
        for (int dx = 0; dx < kind.kernel; ++dx) {
          const int row = y * kind.stride - kind.padding + dy;
          const int column = x * kind.stride - kind.padding + dx;
          if (src.contains(row, column)) best = std::max(best, src.at(n, c, row, column));
        }
      return best;
    });
  }

  void run(const AveragePool&, const Values& src, Values& dst) {
    dst.fill([&](int n, int c, int, int) {
      double sum = 0;
      for (int y = 0; y < src.shape.height; ++y)
        for (int x = 0; x < src.shape.width; ++x) sum += src.at(n, c, y, x);
      return sum / (src.shape.height * src.shape.width);
    });
  }

  void run(const PadShortcut& kind, const Values& src, Values& dst) {
    dst.fill([&](int n, int c, int y, int x) {
      return c < src.shape.channels ? src.at(n, c, y * kind.stride, x * kind.stride) : 0;
    });
  }

  std::vector<Values> values_;
  std::span<const float>::iterator next_;  ///< the parameters of the next layer
};

}  // namespace

double reference_loss(const ImageModel& model, std::span<const float> canonical,
                      const TestBatch& batch) {
  const Interpreter interpreter(model, canonical, batch);
  const Values& logits = interpreter.logits();
  double sum = 0;
  for (int n = 0; n < logits.images; ++n) {
    double exponentials = 0;
    for (int c = 0; c < logits.shape.channels; ++c) exponentials += std::exp(logits.at(n, c, 0, 0));
    sum += std::log(exponentials) - logits.at(n, batch.targets[static_cast<std::size_t>(n)], 0, 0);
  }
  return sum / logits.images;
}

}  // namespace localbatch
