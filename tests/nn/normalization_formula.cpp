#include "nn/normalization_formula.h"

#include <algorithm>
#include <cmath>

#include "core/vector.h"

namespace localbatch::normalization_formula {

namespace {

/// Place of a value in [image][C/block][pixel][block].
constexpr std::size_t place(std::size_t image, std::size_t channel, std::size_t pixel) {
  constexpr std::size_t kBlock = kChannelBlock;
  return ((image * kChannels + channel / kBlock * kBlock) * kPixels) + pixel * kBlock +
         channel % kBlock;
}

template <class Body>
void for_each_value(const Body& body) {
  for (std::size_t image = 0; image < kImages; ++image)
    for (std::size_t channel = 0; channel < kChannels; ++channel)
      for (std::size_t pixel = 0; pixel < kPixels; ++pixel)
        body(image, channel, place(image, channel, pixel));
}

}  // namespace

std::vector<Setting> settings() {
  std::vector<Setting> all;
  for (const bool relu : {false, true})
    for (const ValueId add : {-1, 1}) {
      const auto kind = [&](int groups) {
        return Normalization{.src = 2, .add = add, .relu = relu, .groups = groups};
      };
      all.push_back({kind(0), BatchNormMoments::kRunning});
      // Groups of 32, 16, 8, 4, 2 channels and of one.
      for (const int groups : {0, 1, 2, 4, 8, 16, 32}) all.push_back({kind(groups)});
      all.push_back({kind(8), BatchNormMoments::kRunning});
    }
  return all;
}

std::string name_of(const Setting& setting) {
  return "groups " + std::to_string(setting.kind.groups) + (setting.kind.relu ? ", ReLU" : "") +
         (setting.has_residual() ? ", residual" : "") +
         (setting.batch_norm == BatchNormMoments::kRunning ? ", running statistics" : "");
}

std::vector<double> output(const Setting& setting, const Inputs& in) {
  const auto groups = static_cast<std::size_t>(setting.kind.groups);
  const auto set_of = [&](std::size_t image, std::size_t channel) {
    return groups == 0 ? channel : image * groups + channel / (kChannels / groups);
  };
  std::vector<double> mean = in.mean, variance = in.variance;
  if (!setting.is_running()) {
    const std::size_t sets = groups == 0 ? kChannels : kImages * groups;
    const double count = static_cast<double>(kValues) / static_cast<double>(sets);
    mean.assign(sets, 0);
    variance.assign(sets, 0);
    for_each_value([&](std::size_t image, std::size_t channel, std::size_t i) {
      mean[set_of(image, channel)] += in.x[i] / count;
    });
    for_each_value([&](std::size_t image, std::size_t channel, std::size_t i) {
      const double centered = in.x[i] - mean[set_of(image, channel)];
      variance[set_of(image, channel)] += centered * centered / count;
    });
  }
  std::vector<double> y(kValues);
  for_each_value([&](std::size_t image, std::size_t channel, std::size_t i) {
    const std::size_t set = set_of(image, channel), own = image * kChannels + channel;
    const double normal = (in.x[i] - mean[set]) / std::sqrt(variance[set] + 1e-5);
    const double sum = in.scale[own] * normal + in.shift[own] + in.residual[i];
    y[i] = setting.kind.relu ? std::max(sum, 0.0) : sum;
  });
  return y;
}

std::vector<double> slopes(const Setting& setting, Inputs& in, std::vector<double>& values,
                           const std::vector<double>& dy) {
  const auto weighted = [&] {
    const std::vector<double> y = output(setting, in);
    double sum = 0;
    for (std::size_t i = 0; i < kValues; ++i) sum += dy[i] * y[i];
    return sum;
  };
  constexpr double kStep = 1e-5;
  std::vector<double> result;
  for (double& value : values) {
    const double before = value;
    value = before + kStep;
    const double above = weighted();
    value = before - kStep;
    const double below = weighted();
    value = before;
    result.push_back((above - below) / (2 * kStep));
  }
  return result;
}

std::vector<std::vector<double>> gradients_of_images(const Setting& setting, Inputs& in,
                                                     const std::vector<double>& dy) {
  const std::vector<double> scale = slopes(setting, in, in.scale, dy);
  const std::vector<double> shift = slopes(setting, in, in.shift, dy);
  std::vector<std::vector<double>> gradients;
  for (std::size_t first = 0; first < kSets; first += kChannels) {
    std::vector<double>& mine =
        gradients.emplace_back(scale.begin() + first, scale.begin() + first + kChannels);
    mine.insert(mine.end(), shift.begin() + first, shift.begin() + first + kChannels);
  }
  return gradients;
}

}  // namespace localbatch::normalization_formula
