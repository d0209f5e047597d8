#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "nn/image_model.h"
#include "nn/layer.h"

/// Normalizations of one small micro-batch by their formula, in double and in plain loops. Values
/// are in the order of the network's memory, [image][C/block][pixel][block].
namespace localbatch::normalization_formula {

constexpr std::size_t kChannels = 32, kPixels = 6, kImages = 3;
constexpr std::size_t kValues = kImages * kChannels * kPixels, kSets = kImages * kChannels;
constexpr ImageShape kShape{kChannels, 2, 3};

struct Setting {
  Normalization kind;
  BatchNormMoments batch_norm = BatchNormMoments::kMicroBatch;

  bool has_residual() const { return kind.add >= 0; }
  bool is_running() const {
    return kind.is_batch_norm() && batch_norm == BatchNormMoments::kRunning;
  }
};

/// Batch norm in both modes, group norm with groups of all sizes; residual and ReLU or not.
std::vector<Setting> settings();
std::string name_of(const Setting& setting);

/// Everything that the output depends on, in double.
struct Inputs {
  std::vector<double> x, residual;
  std::vector<double> scale = {}, shift = {};    ///< [image][channel]
  std::vector<double> mean = {}, variance = {};  ///< the running ones
};

std::vector<double> output(const Setting& setting, const Inputs& in);

/// d sum(dy y)/d values, where `values` is one of the arrays of `in`, by finite differences.
std::vector<double> slopes(const Setting& setting, Inputs& in, std::vector<double>& values,
                           const std::vector<double>& dy);

/// The gradient by scales and shifts of every image, [image][tensor][channel].
std::vector<std::vector<double>> gradients_of_images(const Setting& setting, Inputs& in,
                                                     const std::vector<double>& dy);

}  // namespace localbatch::normalization_formula
