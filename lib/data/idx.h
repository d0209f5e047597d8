#pragma once

#include <filesystem>

#include "data/dataset.h"

namespace localbatch {

/// Reads the images and the labels of one set from two idx files (http://yann.lecun.com/exdb/mnist,
/// big-endian header, then bytes), plain or gzipped; which one is told by the first bytes, not by
/// the name. Throws an InputError that names the file when a magic number, a size or a label is not
/// what it has to be for grey images of `shape` and labels below `num_classes`.
ImageSet read_idx_pair(const std::filesystem::path& images, const std::filesystem::path& labels,
                       const ImageShape& shape, int num_classes);

DatasetLoader make_mnist(Options& options);
DatasetLoader make_fashion_mnist(Options& options);

}  // namespace localbatch
