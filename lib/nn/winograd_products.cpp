#include <algorithm>

#include "core/vector.h"
#include "nn/winograd.h"
#include "nn/winograd_matrices.h"

namespace localbatch::winograd {
namespace {

using Index = std::ptrdiff_t;

constexpr Index kBlock = kChannelBlock;
constexpr int kVectorRegisters = kChannelBlock == 16 ? 32 : 16;

/// Rows of the result that a kernel keeps in registers: half of them hold sums.
template <int kVectors>
constexpr Index kRows = kVectorRegisters / 2 / kVectors;

/// sum += left * right, one step: a number for every row times some vectors.
template <Index kNumRows, int kVectors>
[[gnu::always_inline]] inline void multiply_add(Vector (&sum)[kNumRows][kVectors],
                                                const float* left, Index left_stride,
                                                const float* right, Index right_stride) {
  Vector vectors[kVectors];
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) vectors[v] = load(right + v * right_stride);
#pragma GCC unroll 16
  for (Index row = 0; row < kNumRows; ++row) {
    const Vector factor = broadcast(left[row * left_stride]);
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) sum[row][v] += factor * vectors[v];
  }
}

/// Channels that are summed before the sum is added to what others gave.
constexpr Index kSumChannels = 128;

/// Rows (tiles) of one point's product, [row][output channel].
template <Index kNumRows, int kVectors>
void multiply_tiles(const float* input, Index input_block, const float* weights, Index channels,
                    bool add, float* product) {
  constexpr Index kWidth = kVectors * kBlock;
  Vector sum[kNumRows][kVectors] = {};
  for (Index c = 0; c < channels; c += kChannelBlock) {
    for (int i = 0; i < kChannelBlock; ++i, weights += kWidth) {
      multiply_add(sum, input + i, kBlock, weights, kBlock);
    }
    input += input_block;
  }
#pragma GCC unroll 16
  for (Index row = 0; row < kNumRows; ++row) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v, product += kChannelBlock) {
      store(product, add ? load(product) + sum[row][v] : sum[row][v]);
    }
  }
}

template <int kVectors>
void multiply_points(const Points& input, int channels, const float* weights, int first_tile,
                     int tiles, float* product) {
  constexpr Index kGroup = kRows<kVectors>;
  constexpr Index kWidth = kVectors * kBlock;
  const Index input_block = input.tiles * kBlock;
  const Index weights_plane = transformed_weights_plane(channels, kVectors * kChannelBlock);
  for (Index point = 0; point < kPoints; ++point) {
    for (Index c = 0; c < channels; c += kSumChannels) {
      const Index sum_channels = std::min<Index>(kSumChannels, channels - c);
      const float* const x =
          input.data + point * input.plane + c * input.tiles + first_tile * kBlock;
      const float* const w = weights + point * weights_plane + c * kWidth;
      float* const sums = product + point * kProductPlane;
      Index tile = 0;
      for (; tile + kGroup <= tiles; tile += kGroup) {
        multiply_tiles<kGroup, kVectors>(x + tile * kBlock, input_block, w, sum_channels, c > 0,
                                         sums + tile * kWidth);
      }
      if constexpr (kGroup > kTileGroup) {
        if (tile == tiles) continue;
        multiply_tiles<kTileGroup, kVectors>(x + tile * kBlock, input_block, w, sum_channels, c > 0,
                                             sums + tile * kWidth);
      }
    }
  }
}

/// A^T m A of one tile: calls write(row, column, value) for the 4x4 outputs, even rows first.
template <class Write>
void transform_product(const float* product, Write write) {
  const auto at = [&](Index i, Index j) {
    return load(product + (i * kPatch + j) * static_cast<Index>(kProductPlane));
  };
  const auto finish = [&](int row, const Vector(&values)[kPatch]) __attribute__((always_inline)) {
    Vector y[kTile];
    outputs(values, y);
    for (int j = 0; j < kTile; ++j) write(row, j, y[j]);
  };
  Vector first[kPatch], second[kPatch];
  for (int j = 0; j < kPatch; ++j) {
    const auto [y0, y2] = even_outputs(at(0, j), at(1, j), at(2, j), at(3, j), at(4, j));
    first[j] = y0;
    second[j] = y2;
  }
  finish(0, first);
  finish(2, second);
  for (int j = 0; j < kPatch; ++j) {
    const auto [y1, y3] = odd_outputs(at(1, j), at(2, j), at(3, j), at(4, j), at(5, j));
    first[j] = y1;
    second[j] = y3;
  }
  finish(1, first);
  finish(3, second);
}

/// Output transform of one tile and channel block; rows and columns outside of the image are left
/// out.
template <bool kAdd, class T>
void write_tile(const float* product, T* pixels, const Image& shape, int y, int x) {
  const Index image_row = shape.width * kBlock;
  const Index rows = shape.height - y, columns = shape.width - x;
  T* const tile = pixels + y * image_row + x * kBlock;
  const auto write = [&](int i, int j, Vector value) {
    T* const pixel = tile + i * image_row + j * kBlock;
    store(pixel, kAdd ? load(pixel) + value : value);
  };
  if (rows >= kTile && columns >= kTile) {
    transform_product(product, write);
  } else {
    transform_product(product, [&](int i, int j, Vector value) {
      if (i < rows && j < columns) write(i, j, value);
    });
  }
}

/// Output transform of the tiles first .. last - 1 of `images`, to channels from `first_output`.
template <bool kAdd, class T>
void write_tiles(const float* product, int width, const Image& shape, int first_output, int first,
                 int last, T* images) {
  const int tiles = tiles_per_image(shape);
  const int tiles_per_row = (shape.width + kTile - 1) / kTile;
  const Index pixels = static_cast<Index>(shape.height) * shape.width;
  for (int tile = first; tile < last; ++tile) {
    const int y = tile % tiles / tiles_per_row * kTile;
    const int x = tile % tiles % tiles_per_row * kTile;
    T* block = images + (static_cast<Index>(tile / tiles) * shape.channels + first_output) * pixels;
    for (int output = 0; output < width; output += kChannelBlock) {
      write_tile<kAdd>(product, block, shape, y, x);
      product += kChannelBlock;
      block += pixels * kBlock;
    }
  }
}

/// Floats from a tile to the one in the next block of tiles, for both factors.
struct Ahead {
  Index input, gradient;
};

/// Channels kRows at a time of a block of the gradient: products over `tiles` tiles.
template <int kVectors>
void accumulate_tiles(const float* input, const float* gradient, Index gradient_block, Index tiles,
                      const Ahead& ahead, bool add, float* block) {
  for (Index row = 0; row < kRows<kVectors>; ++row) {
    for (int v = 0; v < kVectors; ++v) {
      __builtin_prefetch(block + row * kOutputBlock + v * kBlock);
    }
  }
  Vector sum[kRows<kVectors>][kVectors] = {};
  for (Index tile = 0; tile < tiles; ++tile) {
    __builtin_prefetch(input + ahead.input, 0, 2);
    __builtin_prefetch(gradient + ahead.gradient, 0, 2);
    multiply_add(sum, input, 1, gradient, gradient_block);
    input += kChannelBlock;
    gradient += kChannelBlock;
  }
#pragma GCC unroll 16
  for (Index row = 0; row < kRows<kVectors>; ++row, block += kOutputBlock) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      float* const to = block + v * kBlock;
      store(to, add ? load(to) + sum[row][v] : sum[row][v]);
    }
  }
}

template <int kVectors>
void accumulate_points(const Points& input, int first_channel, int num_channels,
                       const Points& gradient, int first_output, int tiles, bool add,
                       float* block) {
  const Index gradient_block = gradient.tiles * kBlock;
  const auto distance = [&](Index tile, Index plane) {
    const bool last = tile + kTileBlock >= tiles;
    return last ? plane - tile * kBlock : kTileBlock * kBlock;
  };
  for (Index point = 0; point < kPoints; ++point) {
    const float* const x =
        input.data + point * input.plane + static_cast<Index>(first_channel) * input.tiles;
    const float* const d =
        gradient.data + point * gradient.plane + static_cast<Index>(first_output) * gradient.tiles;
    float* const sums = block + point * kGradientChannels * kOutputBlock;
    for (Index tile = 0; tile < tiles; tile += kTileBlock) {
      const Index num_tiles = std::min<Index>(kTileBlock, tiles - tile);
      const Index at = tile * kBlock;
      for (Index c = 0; c < num_channels; c += kRows<kVectors>) {
        const Index in_block = c % kBlock;
        // Every register block of channels fetches one of the vectors of the gradient.
        const Index vector = c / kRows<kVectors> % kVectors * gradient_block;
        const Ahead ahead{distance(tile, input.plane), distance(tile, gradient.plane) + vector};
        accumulate_tiles<kVectors>(x + (c - in_block) * input.tiles + in_block + at, d + at,
                                   gradient_block, num_tiles, ahead, add || tile > 0,
                                   sums + c * kOutputBlock);
      }
    }
  }
}

}  // namespace

template <class T>
void multiply(const Points& input, int reduced_channels, const float* transformed_weights,
              int first_output, const Image& shape, int first_tile, int num_images, bool add,
              T* images, float* product) {
  const int width = std::min(kOutputBlock, shape.channels - first_output);
  const int last_tile = first_tile + num_images * tiles_per_image(shape);
  for (int begin = first_tile / kTileGroup * kTileGroup; begin < last_tile; begin += kTileBlock) {
    const int end = std::min(begin + kTileBlock, last_tile);
    const int num_tiles = round_up_tiles(end - begin);
    if (width == kOutputBlock) {
      multiply_points<2>(input, reduced_channels, transformed_weights, begin, num_tiles, product);
    } else {
      multiply_points<1>(input, reduced_channels, transformed_weights, begin, num_tiles, product);
    }
    const int first = std::max(begin, first_tile);
    const float* const first_product = product + static_cast<Index>(first - begin) * width;
    const auto write = add ? write_tiles<true, T> : write_tiles<false, T>;
    write(first_product, width, shape, first_output, first - first_tile, end - first_tile, images);
  }
}

void accumulate_weight_gradient(const Points& input, int channels, const Points& output_gradient,
                                int filters, int tiles, int first_channel, int first_output,
                                bool add, float* block) {
  const int num_channels = std::min(kGradientChannels, channels - first_channel);
  const auto accumulate =
      filters - first_output >= kOutputBlock ? accumulate_points<2> : accumulate_points<1>;
  accumulate(input, first_channel, num_channels, output_gradient, first_output, tiles, add, block);
}

template void multiply(const Points&, int, const float*, int, const Image&, int, int, bool, float*,
                       float*);
template void multiply(const Points&, int, const float*, int, const Image&, int, int, bool,
                       Bfloat16*, float*);

}  // namespace localbatch::winograd
