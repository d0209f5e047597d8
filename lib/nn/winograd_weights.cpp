#include <algorithm>
#include <utility>

#include "core/vector.h"
#include "nn/winograd.h"
#include "nn/winograd_matrices.h"

namespace localbatch::winograd {
namespace {

using Index = std::ptrdiff_t;

constexpr Index kBlock = kChannelBlock;

constexpr Index kKernel = 3;
constexpr Index kKernelSize = kKernel * kKernel;
constexpr Index kBlockSize = kBlock * kBlock;

/// Alternately an element of `a` and one of `b`, from element `from` of both.
template <int from, int... i>
Vector interleave(Vector a, Vector b, std::integer_sequence<int, i...>) {
  return __builtin_shufflevector(a, b, (from + i / 2 + (i % 2) * kChannelBlock)...);
}

/// A square of values with rows and columns exchanged: after every pass the index of an element is
/// rotated by one bit.
void transpose(const float* from, float* to) {
  constexpr auto kIndices = std::make_integer_sequence<int, kChannelBlock>();
  constexpr Index kHalf = kBlock / 2;
  Vector rows[kChannelBlock];
  for (Index i = 0; i < kBlock; ++i) rows[i] = load(from + i * kBlock);
  for (int pass = 1; pass < kChannelBlock; pass *= 2) {
    Vector next[kChannelBlock];
    for (Index i = 0; i < kHalf; ++i) {
      next[2 * i] = interleave<0>(rows[i], rows[i + kHalf], kIndices);
      next[2 * i + 1] = interleave<kHalf>(rows[i], rows[i + kHalf], kIndices);
    }
    std::copy(next, next + kChannelBlock, rows);
  }
  for (Index i = 0; i < kBlock; ++i) store(to + i * kBlock, rows[i]);
}

/// G w G^T of kernels [3][3][reduced channel][output channel]. They are a copy in the first level
/// cache: read from where they are, they would compete with the 36 streams that are written.
void transform_kernels(const float* kernels, const float* next, float* points, int width,
                       Index plane) {
  for (Index channel = 0; channel < kChannelBlock; ++channel) {
    for (Index i = 0; i < kKernelSize; ++i, next += kChannelBlock) __builtin_prefetch(next, 0, 2);
    Vector columns[kKernel][kPatch];
    for (int s = 0; s < kKernel; ++s) {
      Vector column[kKernel];
      for (Index r = 0; r < kKernel; ++r) {
        column[r] = load(kernels + (r * kKernel + s) * kBlockSize + channel * kBlock);
      }
      weight_points(column, columns[s]);
    }
    for (Index i = 0; i < kPatch; ++i) {
      const Vector row[kKernel] = {columns[0][i], columns[1][i], columns[2][i]};
      Vector transformed[kPatch];
      weight_points(row, transformed);
      for (int j = 0; j < kPatch; ++j) {
        store(points + (i * kPatch + j) * plane + channel * width, transformed[j]);
      }
    }
  }
}

/// G^T m G for one input channel into kernels [3][3] that lie kBlockSize apart, or added to them.
/// Asks for those of the next block of channels.
void write_kernel(const float* points, bool add, float* kernels) {
  constexpr Index kPlane = Index{kGradientChannels} * kOutputBlock;
  Vector rows[kKernel][kPatch];
  for (Index i = 0; i < kPatch; ++i) {
    Vector row[kPatch], transformed[kKernel];
    for (int j = 0; j < kPatch; ++j) row[j] = load(points + (i * kPatch + j) * kPlane);
    weight_gradients(row, transformed);
    for (int s = 0; s < kKernel; ++s) rows[s][i] = transformed[s];
  }
  for (int s = 0; s < kKernel; ++s) {
    Vector column[kKernel];
    weight_gradients(rows[s], column);
    for (Index r = 0; r < kKernel; ++r) {
      float* const weight = kernels + (r * kKernel + s) * kBlockSize;
      __builtin_prefetch(weight + kKernelSize * kBlockSize, 1);
      store(weight, add ? load(weight) + column[r] : column[r]);
    }
  }
}

/// The place of the kernels of a block of C and a block of K.
Index kernels_at(Index channels, Index channel, Index filter) {
  return (filter / kBlock * (channels / kBlock) + channel / kBlock) * kKernelSize * kBlockSize;
}

}  // namespace

std::size_t transformed_weights_size(int reduced_channels) {
  return kPoints * transformed_weights_plane(reduced_channels, kOutputBlock);
}

void transform_weights(const float* weights, int channels, int filters, Direction direction,
                       int first_output, float* transformed) {
  const bool forward = direction == Direction::kForward;
  const int reduced_channels = forward ? channels : filters;
  const int width = std::min(kOutputBlock, (forward ? filters : channels) - first_output);
  const Index plane = transformed_weights_plane(reduced_channels, width);
  const Index next = kernels_at(channels, forward ? kBlock : 0, forward ? 0 : kBlock);
  alignas(64) float kernels[kKernelSize * kBlockSize];
  for (Index reduced = 0; reduced < reduced_channels; reduced += kChannelBlock) {
    for (Index output = 0; output < width; output += kChannelBlock) {
      const float* const from =
          weights + (forward ? kernels_at(channels, reduced, first_output + output)
                             : kernels_at(channels, first_output + output, reduced));
      if (forward) {
        std::copy(from, from + kKernelSize * kBlockSize, kernels);
      } else {
        for (Index i = 0; i < kKernelSize; ++i) {
          transpose(from + (kKernelSize - 1 - i) * kBlockSize, kernels + i * kBlockSize);
        }
      }
      transform_kernels(kernels, from + next, transformed + reduced * width + output, width, plane);
    }
  }
}

void write_weight_gradient(const float* block, int channels, int filters, int first_channel,
                           int first_output, bool add, float* gradient) {
  const int num_channels = std::min(kGradientChannels, channels - first_channel);
  const int width = std::min(kOutputBlock, filters - first_output);
  for (Index output = 0; output < width; output += kChannelBlock) {
    for (Index channel = 0; channel < num_channels; ++channel) {
      write_kernel(block + channel * kOutputBlock + output, add,
                   gradient + kernels_at(channels, first_channel + channel, first_output + output) +
                       channel % kBlock * kBlock);
    }
  }
}

}  // namespace localbatch::winograd
