#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "data/dataset.h"

namespace localbatch {

/// A file as it lies on the disk, and the path that messages call it by.
struct IdxFile {
  std::filesystem::path path;
  std::vector<unsigned char> bytes;
};

/// The images and the labels of one set from two idx files (http://yann.lecun.com/exdb/mnist,
/// big-endian header, then bytes), plain or gzipped; which one is told by the first bytes, not by
/// the name. Throws an InputError that names the file when a magic number, a size or a label is not
/// what it has to be for grey images of `shape` and labels below `num_classes`.
ImageSet parse_idx_pair(IdxFile images, IdxFile labels, const ImageShape& shape, int num_classes);

/// The same for files on the disk.
ImageSet read_idx_pair(const std::filesystem::path& images, const std::filesystem::path& labels,
                       const ImageShape& shape, int num_classes);

DatasetLoader make_mnist(Options& options);
DatasetLoader make_fashion_mnist(Options& options);

/// Whether `bytes` start as a gzip file does.
bool is_gzip(std::span<const unsigned char> bytes);

/// What a gzip file of one member holds. Throws an InputError that names `path` when it is damaged,
/// cut short, followed by other bytes, has 4 GiB or more, or expands to more than `limit` bytes.
std::vector<unsigned char> gunzip(std::span<const unsigned char> bytes,
                                  const std::filesystem::path& path, std::size_t limit);

}  // namespace localbatch
