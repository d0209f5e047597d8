#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/batch.h"

namespace localbatch {

struct ExecutionOptions;

/// The part of a convolution that its speed depends on.
struct ConvolutionShape {
  ImageShape src;
  int channels = 0;  ///< channels of the output
  int kernel = 1;
  int stride = 1;
  int padding = 0;

  ImageShape dst() const {
    const auto windows = [this](int size) { return (size + 2 * padding - kernel) / stride + 1; };
    return {channels, windows(src.height), windows(src.width)};
  }
  friend bool operator==(const ConvolutionShape&, const ConvolutionShape&) = default;
};

/// Multiply-adds of an image's forward pass: of a direct convolution, padding included, or of
/// Winograd's algorithm, whose products at 36 points of a tile stand for 144 (its transforms are
/// not counted).
std::int64_t multiply_adds(const ConvolutionShape& shape, bool winograd);

/// "16x32x32 -> 32, 3x3/2": input, channels of the output, window, stride.
std::string to_string(const ConvolutionShape& shape);

/// How a convolution is computed. Both numbers change the order of sums and with it the bits of
/// results, so they follow a rule or a file, never a clock.
struct KernelChoice {
  bool winograd = false;     ///< our own Winograd convolution; otherwise a direct one by oneDNN
  int images_per_slice = 1;  ///< images that a thread computes at a time: 1 .. the micro-batch

  friend bool operator==(const KernelChoice&, const KernelChoice&) = default;
};

/// Whether our convolutions beat direct ones, which they do where the compiler could use fused
/// multiply-adds.
/// oneDNN takes the best instructions of the machine that it runs on, but which convolution is used
/// must not depend on that.
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
constexpr bool kWinogradIsFaster = true;
#else
constexpr bool kWinogradIsFaster = false;
#endif

/// Which implementation computes the convolutions that both can compute (winograd_fits).
enum class ConvolutionRule {
  kAuto,      ///< our own if kWinogradIsFaster, else oneDNN
  kDirect,    ///< oneDNN
  kWinograd,  ///< our own
};
constexpr std::array<std::pair<std::string_view, ConvolutionRule>, 3> kConvolutionRules{
    {{"auto", ConvolutionRule::kAuto},
     {"direct", ConvolutionRule::kDirect},
     {"winograd", ConvolutionRule::kWinograd}}};

std::string_view name_of(ConvolutionRule rule);

/// The name in files and tables.
constexpr std::string_view algorithm_name(const KernelChoice& choice) {
  return choice.winograd ? "winograd" : "direct";
}

/// A choice from a file that replaces the rule's.
struct KernelOverride {
  ConvolutionShape shape;
  KernelChoice choice;
  std::string where;  ///< "kernels.yaml:12:5", for messages
};

/// At most one for each shape. Convolutions that are not among them follow the rule.
using KernelChoices = std::vector<KernelOverride>;

/// The override for this shape, null when there is none.
const KernelOverride* find_kernel(const KernelChoices& choices, const ConvolutionShape& shape);

/// Whether our Winograd convolution supports the shape: 3x3, stride 1, whole blocks of channels.
/// Besides, it cannot read the network's input.
bool winograd_fits(const ConvolutionShape& shape);

/// Whether the rule prefers Winograd where both are possible.
bool wants_winograd(ConvolutionRule rule);

/// The first override that a rule forbids: with kDirect ours, with kWinograd a direct one
/// where ours is possible. Null when there is none.
const KernelOverride* kernel_against(const KernelChoices& choices, ConvolutionRule rule);

/// The rule's choice for a given algorithm: a function of the shape and the largest
/// micro-batch alone.
KernelChoice kernel_by_rule(const ConvolutionShape& shape, bool winograd, int max_images);

/// The override for this shape, or else the rule's choice. Our own convolution cannot read the
/// network's input. Throws an InputError when an override is impossible.
KernelChoice choose_kernel(const ConvolutionShape& shape, bool reads_input,
                           const ExecutionOptions& options);

/// A convolution of a model, and how it is computed.
struct LayerKernel {
  std::string layer;  ///< "layer1.0.conv1"
  ConvolutionShape shape;
  KernelChoice choice;
};

}  // namespace localbatch
