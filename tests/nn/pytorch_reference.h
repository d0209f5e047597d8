#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/random.h"
#include "nn/model.h"

namespace localbatch {

/// What tests/oracle/pytorch_gradients.py says about the gradient of one tensor.
struct ReferenceTensor {
  std::string name;
  std::size_t size = 0;
  double norm = 0;                                      ///< of the gradient in double
  double pytorch_error = 0, autocast_error = 0;         ///< of PyTorch itself in f32 and with bf16
  std::vector<std::pair<std::size_t, double>> samples;  ///< places and values
};

/// What it says about a network.
struct Reference {
  std::string network;
  double loss = 0;
  std::optional<double> margin;  ///< of networks with ReLUs
  std::vector<ReferenceTensor> tensors;
  std::vector<double> whole;  ///< the gradient; empty where only samples are stored
};

/// The stored samples, and where PyTorch is installed the whole gradient, which CTest has computed
/// in the build folder.
std::vector<Reference> read_references(const std::string& network);

/// A mean loss and its gradient in canonical order.
struct LossGradient {
  double loss = 0;
  std::vector<float> values;
};

/// What our f32 errors may be.
struct AllowedErrors {
  double factor;  ///< times PyTorch's in every tensor, and half of that in the median
  double median;  ///< over tensors
};

/// In f32 our error is of the size of PyTorch's. PyTorch's is taken as its median over tensors
/// where it was luckier than that: luck differs between instruction sets.
void check_float32(const Reference& reference, std::span<const TensorView> tensors,
                   const LossGradient& ours, const std::string& how, const AllowedErrors& allowed);

/// In bf16 it is no worse than that of PyTorch's autocast, in the median over tensors.
void check_bfloat16(const Reference& reference, std::span<const TensorView> tensors,
                    const LossGradient& ours, const std::string& how);

/// center + half_width (2u - 1), with the same bits as in tests/oracle/counter_random.py: one
/// product, exact or followed by an exact sum.
void fill_uniform(std::span<float> values, RandomStream stream, double center, double half_width);

}  // namespace localbatch
