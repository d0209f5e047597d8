#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/options.h"
#include "core/shape.h"
#include "data/partition.h"

namespace localbatch {

class ImageFiles;

/// Labelled images: their bytes in memory in the order of their file, or files that are decoded
/// when an image is asked for.
struct ImageSet {
  std::vector<std::uint8_t> pixels;  ///< [image][channel][row][column]; empty: see `files`
  std::vector<Label> labels;         ///< [image], below num_classes
  std::shared_ptr<ImageFiles> files = {};

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

  /// The bytes of one image of a set in memory.
  std::span<const std::uint8_t> image(const ImageSet& set, std::size_t index) const;
};

/// Memory that a set takes.
std::size_t bytes_of(const ImageSet& set);

/// Of all images and labels, to tell data sets apart; of files only their names and sizes.
std::uint64_t checksum_of(const Dataset& dataset);

/// Reads the files, which is the slow and fallible half of making a data set: the keys of an
/// experiment file are checked before anything is loaded. Throws an InputError that names a
/// missing, truncated or wrong file.
using DatasetLoader = std::function<Dataset()>;

/// cifar10, cifar100, mnist, fashion_mnist, imagenet, synthetic.
std::span<const PartRow<DatasetLoader>> dataset_table();

}  // namespace localbatch
