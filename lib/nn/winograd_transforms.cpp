#include <algorithm>
#include <type_traits>

#include "core/vector.h"
#include "nn/winograd.h"
#include "nn/winograd_matrices.h"

namespace localbatch::winograd {
namespace {

using Index = std::ptrdiff_t;

constexpr Index kBlock = kChannelBlock;

/// Copies `kSize` x `kSize` pixels from (top, left) on to `patch`, zeros for those outside of the
/// image.
template <int kSize, class T>
void copy_patch(const T* pixels, const Image& shape, Index top, Index left, float* patch) {
  for (Index i = 0; i < kSize; ++i) {
    const Index y = top + i;
    const bool row_inside = y >= 0 && y < shape.height;
    const T* const row = pixels + y * shape.width * kBlock;
    for (Index j = 0; j < kSize; ++j, patch += kBlock) {
      const Index x = left + j;
      const bool inside = row_inside && x >= 0 && x < shape.width;
      store(patch, inside ? load(row + x * kBlock) : Vector{});
    }
  }
}

/// One row of points from a row of values.
template <int kSize>
[[gnu::always_inline]] inline void store_points(void transform(const Vector (&)[kSize],
                                                               Vector (&)[kPatch]),
                                                const Vector (&values)[kSize], float* points,
                                                Index plane) {
  Vector row[kPatch];
  transform(values, row);
  for (int j = 0; j < kPatch; ++j) store(points + j * plane, row[j]);
}

/// B^T x B of one patch. It is read up to four times, from the first level cache: cheaper than to
/// keep 36 values in registers.
void transform_input_patch(const float* patch, Index row, float* points, Index plane) {
  const auto at = [&](Index i, Index j) { return load(patch + i * row + j * kBlock); };
  const auto finish = [&](Index i, const Vector(&values)[kPatch]) __attribute__((always_inline)) {
    store_points<kPatch>(input_points<Vector>, values, points + i * kPatch * plane, plane);
  };
  const auto finish_pair = [&](Index i, const PointPair<Vector>& pair)
      __attribute__((always_inline)) {
    Vector plus[kPatch], minus[kPatch];
    for (int j = 0; j < kPatch; ++j) {
      const auto [p, m] = input_at_pair(pair, at(1, j), at(2, j), at(3, j), at(4, j));
      plus[j] = p;
      minus[j] = m;
    }
    finish(i, plus);
    finish(i + 1, minus);
  };
  Vector values[kPatch];
  for (int j = 0; j < kPatch; ++j) values[j] = input_at_zero(at(0, j), at(2, j), at(4, j));
  finish(0, values);
  finish_pair(1, kPairA<Vector>);
  finish_pair(3, kPairB<Vector>);
  for (int j = 0; j < kPatch; ++j) values[j] = input_at_infinity(at(1, j), at(3, j), at(5, j));
  finish(5, values);
}

/// A dY A^T of one tile.
void transform_gradient_patch(const float* patch, Index row, float* points, Index plane) {
  const auto at = [&](Index i, Index j) { return load(patch + i * row + j * kBlock); };
  const auto finish = [&](Index i, const Vector(&values)[kTile]) __attribute__((always_inline)) {
    store_points<kTile>(gradient_points<Vector>, values, points + i * kPatch * plane, plane);
  };
  const auto finish_pair = [&](Index i, const PointPair<Vector>& pair)
      __attribute__((always_inline)) {
    Vector plus[kTile], minus[kTile];
    for (int j = 0; j < kTile; ++j) {
      const auto [p, m] = gradient_at_pair(pair, at(0, j), at(1, j), at(2, j), at(3, j));
      plus[j] = p;
      minus[j] = m;
    }
    finish(i, plus);
    finish(i + 1, minus);
  };
  Vector values[kTile];
  for (int j = 0; j < kTile; ++j) values[j] = at(0, j);
  finish(0, values);
  finish_pair(1, kPairA<Vector>);
  finish_pair(3, kPairB<Vector>);
  for (int j = 0; j < kTile; ++j) values[j] = at(3, j);
  finish(5, values);
}

/// Asks for the tile below, which is a whole row of tiles away: too far for the processor to see.
template <class T>
void prefetch_tile(const T* pixels, Index image_row) {
  constexpr Index kLine = 64 / sizeof(T);
  for (Index i = 0; i < kTile; ++i) {
    for (Index j = 0; j < kTile * kBlock; j += kLine) {
      __builtin_prefetch(pixels + i * image_row + j);
    }
  }
}

/// Transforms patches of kSize pixels, of which a tile's first lies `border` before the tile.
template <int kSize, class T, class Transform>
void transform_images(const T* images, int num_images, const Image& shape, int first_tile,
                      const Points& points, int border, Transform transform) {
  const Index image_row = shape.width * kBlock;
  const Index image_plane = shape.height * image_row;
  const int num_blocks = shape.channels / kChannelBlock;
  int tile = first_tile;
  for (int image = 0; image < num_images; ++image, tile += tiles_per_image(shape)) {
    for (Index block = 0; block < num_blocks; ++block, images += image_plane) {
      float* out = points.data + (block * points.tiles + tile) * kBlock;
      for (Index y = -border; y < shape.height - border; y += kTile) {
        for (Index x = -border; x < shape.width - border; x += kTile, out += kChannelBlock) {
          prefetch_tile(images + (y + kSize) * image_row + x * kBlock, image_row);
          const bool whole =
              y >= 0 && x >= 0 && y + kSize <= shape.height && x + kSize <= shape.width;
          if constexpr (std::is_same_v<T, float>) {
            if (whole) {
              transform(images + y * image_row + x * kBlock, image_row, out, points.plane);
              continue;
            }
          }
          alignas(64) float patch[kSize * kSize * kChannelBlock];
          copy_patch<kSize>(images, shape, y, x, patch);
          transform(patch, kSize * kBlock, out, points.plane);
        }
      }
    }
  }
}

}  // namespace

std::size_t plane_size(int channels, int tiles) {
  return static_cast<std::size_t>(channels) * tiles + kPlanePadding;
}

template <class T>
void transform_input(const T* images, int num_images, const Image& shape, int first_tile,
                     const Points& points) {
  transform_images<kPatch>(images, num_images, shape, first_tile, points, 1, transform_input_patch);
}

template <class T>
void transform_output_gradient(const T* images, int num_images, const Image& shape, int first_tile,
                               const Points& points) {
  transform_images<kTile>(images, num_images, shape, first_tile, points, 0,
                          transform_gradient_patch);
}

void clear_tiles(const Points& points, int channels, int first, int last) {
  for (Index point = 0; point < kPoints; ++point) {
    for (Index block = 0; block < channels / kChannelBlock; ++block) {
      float* const tiles = points.data + point * points.plane + block * points.tiles * kBlock;
      std::fill(tiles + first * kBlock, tiles + last * kBlock, 0.0F);
    }
  }
}

template void transform_input(const float*, int, const Image&, int, const Points&);
template void transform_input(const Bfloat16*, int, const Image&, int, const Points&);
template void transform_output_gradient(const float*, int, const Image&, int, const Points&);
template void transform_output_gradient(const Bfloat16*, int, const Image&, int, const Points&);

}  // namespace localbatch::winograd
