#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/resident_images.h"

namespace localbatch {

/// The binary version of the CIFAR files (https://www.cs.toronto.edu/~kriz/cifar.html): records
/// without a header, each some label bytes and 32 x 32 pixels as a red, a green and a blue plane.
struct CifarFormat {
  /// One for each label byte of a record: labels are below it. The last label is the class.
  std::vector<int> label_limits;

  std::size_t record_size() const;
};

/// Appends the records in `bytes`. Throws an InputError that names `path`, the record (from 0) and
/// the label when a label is out of range, or the sizes when the last record is not whole.
void append_cifar_records(ImageSet& set, const CifarFormat& format,
                          std::span<const unsigned char> bytes, const std::filesystem::path& path);

/// Reads the records of several files, each of which must hold exactly `records_per_file`.
ImageSet read_cifar_files(const CifarFormat& format, const std::filesystem::path& root,
                          const std::vector<std::string>& names, std::size_t records_per_file);

struct CifarSettings {
  std::filesystem::path root;  ///< the folder that holds the files
  int classes = 10;            ///< 10 or 100: CIFAR-10, or CIFAR-100 with its fine classes
};

ResidentImages read_cifar(const CifarSettings& settings, const Augmentation& augmentation = {});

DatasetFactory make_cifar10(Options& options);
DatasetFactory make_cifar100(Options& options);

}  // namespace localbatch
