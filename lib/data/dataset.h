#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/image_shape.h"
#include "core/part_table.h"
#include "data/partition.h"

namespace localbatch {

/// Labelled images in memory, as bytes in the order of their file.
struct ImageSet {
  std::vector<std::uint8_t> pixels;  ///< [image][channel][row][column]
  std::vector<std::uint8_t> labels;  ///< [image], below num_classes

  std::size_t size() const { return labels.size(); }
};

/// A training set and a test set with what a reader needs to know about both.
struct Dataset {
  ImageShape shape;
  int num_classes = 0;
  /// Per channel, in units of a pixel divided by 255: a normalized value is (byte/255 -
  /// mean)/stddev.
  std::vector<float> mean, stddev;
  ImageSet train, test;
  Partition partition = {};  ///< how workers share `train`

  /// The bytes of one image.
  std::span<const std::uint8_t> image(const ImageSet& set, std::size_t index) const;
};

/// Of all images and labels, to tell data sets apart.
std::uint64_t checksum_of(const Dataset& dataset);

/// Reads the files, which is the slow and fallible half of making a data set: the keys of an
/// experiment file are checked before anything is loaded. Throws an InputError that names a
/// missing, truncated or wrong file.
using DatasetLoader = std::function<Dataset()>;

/// cifar10, cifar100, mnist, fashion_mnist, synthetic.
std::span<const PartRow<DatasetLoader>> dataset_table();

}  // namespace localbatch
