#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "data/resident_images.h"

namespace localbatch {

/// The bytes of a file on the disk, and the path that messages call it by.
struct IdxFile {
  std::filesystem::path path;
  std::vector<unsigned char> bytes;
};

/// Parses the images and the labels of one set in two idx files
/// (http://yann.lecun.com/exdb/mnist, big-endian header, then bytes), plain or gzipped; the first
/// bytes tell which, not the name. Throws an InputError that names the file when a magic number, a
/// size or a label is not what it has to be for grey images of `shape` and labels below
/// `num_classes`.
ImageSet parse_idx_pair(IdxFile images, IdxFile labels, const ImageShape& shape, int num_classes);

/// Reads the two files from the disk and parses them.
ImageSet read_idx_pair(const std::filesystem::path& images, const std::filesystem::path& labels,
                       const ImageShape& shape, int num_classes);

struct IdxSettings {
  std::filesystem::path root;  ///< the folder that holds the files
  bool fashion = false;        ///< Fashion-MNIST; else MNIST, whose files have the same names
};

ResidentImages read_idx(const IdxSettings& settings, const Augmentation& augmentation = {});

DatasetFactory make_mnist(Options& options);
DatasetFactory make_fashion_mnist(Options& options);

/// Whether `bytes` start as a gzip file does.
bool is_gzip(std::span<const unsigned char> bytes);

/// Expands a gzip file of one member. Throws an InputError that names `path` when it is damaged,
/// cut short, followed by other bytes, has 4 GiB or more, or expands to more than `limit` bytes.
std::vector<unsigned char> gunzip(std::span<const unsigned char> bytes,
                                  const std::filesystem::path& path, std::size_t limit);

}  // namespace localbatch
