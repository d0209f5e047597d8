#pragma once

#include <cstdint>
#include <span>

#include "core/random.h"
#include "data/jpeg.h"

namespace localbatch {

/// How one side of an image is resampled: place i of the result looks at i + 1/2 steps behind
/// `start`, and sees the pixels first .. last - 1 only. Lengths are in pixels; pixel k reaches from
/// k to k + 1.
struct Axis {
  double start = 0;
  double step = 1;
  int first = 0, last = 0;

  friend bool operator==(const Axis&, const Axis&) = default;
};

/// A square view of an image.
struct View {
  Axis columns, rows;
  int size = 0;  ///< side of the result
};

/// Draws a RandomResizedCrop of torchvision (Szegedy et al. 2015): a box whose area is 0.08 .. 1 of
/// the image, uniform, and whose ratio of width to height is 3/4 .. 4/3, uniform in its logarithm,
/// at a uniform place; when ten boxes do not fit into the image, the largest centred one of an
/// allowed ratio. Its pixels alone are seen, stretched to `size` x `size`.
View random_resized_crop(int width, int height, int size, RandomStream random);

/// Returns Resize(resize) and CenterCrop(size) of torchvision as one step: the shorter side becomes
/// `resize` pixels, and the middle `size` x `size` of that are looked at; size <= resize.
View centre_crop(int width, int height, int resize, int size);

/// Returns how far a view can be reduced before it is resampled: the largest of 1, 2, 4 and 8 that
/// leaves two pixels for each one of the result in both directions.
int reduction_for(const View& view);

/// Adapts a view to the image when it has been reduced to `to_width` x `to_height`.
View scaled(const View& view, int width, int height, int to_width, int to_height);

/// Writes a view of an image as [channel][row][column], which must have 3 size^2 elements: first
/// rows, then columns are filtered with a triangle as wide as two steps, or two pixels where steps
/// are smaller (bilinear with antialiasing, as Pillow does it: weights in 1/2^22, bytes in
/// between). All arithmetic is in integers, so all instruction sets give the same bytes.
void resample(const RgbImage& image, const View& view, std::span<std::uint8_t> pixels);

}  // namespace localbatch
