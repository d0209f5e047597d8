#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/networks.h"
#include "comm/payload.h"
#include "nn/execution.h"
#include "nn/kernels_file.h"

namespace localbatch {

/// The checked options of `localbatch bench`.
struct BenchOptions {
  bool train = false, conv = false, sync = false, data = false;
  std::vector<BenchNetwork> networks;
  std::optional<int> batch;  ///< for all networks; nothing: each network's own
  std::vector<Precision> precisions;
  int threads = 1;
  ConvolutionRule convolution = ConvolutionRule::kAuto;
  std::optional<double> seconds;  ///< per measurement
  std::optional<int> workers;
  Payload payload = Payload::kFloat32;  ///< of averages
  std::filesystem::path images;         ///< whose preparation is measured; empty: generated ones
  std::filesystem::path json;           ///< empty: no file
  std::filesystem::path tune;    ///< where choices of kernels go; then nothing else is measured
  bool fit = false;              ///< latency and bandwidth; then nothing else is measured
  std::filesystem::path output;  ///< where they go; empty: no file
  KernelsFile kernels;
  bool strict = false;

  double train_seconds() const { return seconds.value_or(3); }
  double other_seconds() const { return seconds.value_or(0.5); }
};

/// Returns nothing after printing help, when only help was asked for. Throws an InputError.
std::optional<BenchOptions> parse_bench_options(std::span<const std::string> arguments);

}  // namespace localbatch
