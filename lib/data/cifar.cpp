#include "data/cifar.h"

#include <memory>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "data/root_folder.h"

namespace localbatch {

namespace {

constexpr ImageShape kCifarShape{.channels = 3, .height = 32, .width = 32};

}  // namespace

std::size_t CifarFormat::record_size() const { return label_limits.size() + kCifarShape.size(); }

void append_cifar_records(ImageSet& set, const CifarFormat& format,
                          std::span<const unsigned char> bytes, const std::filesystem::path& path) {
  const std::size_t record_size = format.record_size(), num_labels = format.label_limits.size();
  if (bytes.empty() || bytes.size() % record_size != 0)
    fail_input("{}: found {} bytes, expected a positive multiple of {} (the size of a record)",
               path.string(), bytes.size(), record_size);
  for (std::size_t record = 0; record * record_size < bytes.size(); ++record) {
    const auto labels = bytes.subspan(record * record_size, num_labels);
    for (std::size_t i = 0; i < num_labels; ++i)
      if (labels[i] >= format.label_limits[i])
        fail_input("{}: record {}: found label {}, allowed is 0 .. {}", path.string(), record,
                   labels[i], format.label_limits[i] - 1);
    const auto pixels = bytes.subspan(record * record_size + num_labels, kCifarShape.size());
    set.labels.push_back(labels.back());
    set.pixels.insert(set.pixels.end(), pixels.begin(), pixels.end());
  }
}

namespace {

void check_cifar_size(const CifarFormat& format, const std::filesystem::path& path,
                      std::uintmax_t size, std::size_t records) {
  const std::size_t expected = records * format.record_size();
  if (size != expected)
    fail_input("{}: found {} bytes, expected {} ({} records of {})", path.string(), size, expected,
               records, format.record_size());
}

}  // namespace

ImageSet read_cifar_files(const CifarFormat& format, const std::filesystem::path& root,
                          const std::vector<std::string>& names, std::size_t records_per_file) {
  ImageSet set;
  set.pixels.reserve(names.size() * records_per_file * kCifarShape.size());
  for (const std::string& name : names) {
    const std::filesystem::path path = root / name;
    const std::vector<unsigned char> bytes = read_file(path);
    check_cifar_size(format, path, bytes.size(), records_per_file);
    append_cifar_records(set, format, bytes, path);
  }
  return set;
}

namespace {

constexpr std::string_view kFilesOf10 =
    "data_batch_1.bin .. data_batch_5.bin and test_batch.bin of cifar-10-binary.tar.gz";
constexpr std::string_view kFilesOf100 =
    "train.bin and test.bin of cifar-100-binary.tar.gz (fine labels are used)";

/// One of the two data sets.
struct CifarSet {
  std::string_view name, files;
  CifarFormat records;
  ImageFormat images;
  std::vector<std::string> train, test;
  std::size_t train_records = 0;  ///< of each file
  std::size_t test_records = 10000;
};

CifarSet cifar10() {
  return {.name = "cifar10",
          .files = kFilesOf10,
          .records = {.label_limits = {10}},
          // Mean and stddev of the training set as the companion code of the paper has them
          // (github.com/timlautk/AdAdaGrad, data.py).
          .images = {.shape = kCifarShape,
                     .num_classes = 10,
                     .mean = {125.3F / 255, 123.0F / 255, 113.9F / 255},
                     .stddev = {63.0F / 255, 62.1F / 255, 66.7F / 255}},
          .train = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                    "data_batch_5.bin"},
          .test = {"test_batch.bin"},
          .train_records = 10000};
}

CifarSet cifar100() {
  return {.name = "cifar100",
          .files = kFilesOf100,
          .records = {.label_limits = {20, 100}},
          // Mean and stddev of the training set in the digits that PyTorch code for CIFAR-100
          // commonly has (not checked here: no copy of the files was at hand).
          .images = {.shape = kCifarShape,
                     .num_classes = 100,
                     .mean = {129.3F / 255, 124.1F / 255, 112.4F / 255},
                     .stddev = {68.2F / 255, 65.4F / 255, 70.4F / 255}},
          .train = {"train.bin"},
          .test = {"test.bin"},
          .train_records = 50000};
}

CifarSet set_of(const CifarSettings& settings) {
  check(settings.classes == 10 || settings.classes == 100, "there are two CIFAR data sets");
  CifarSet set = settings.classes == 10 ? cifar10() : cifar100();
  require_folder({.path = settings.root, .files = set.files, .dataset = set.name});
  return set;
}

/// The sizes of the files say all.
std::unique_ptr<Dataset> outline_of_cifar(const CifarSettings& settings,
                                          const Augmentation& augmentation) {
  const CifarSet set = set_of(settings);
  const auto look = [&](const std::vector<std::string>& names, std::size_t records) {
    for (const std::string& name : names) {
      const MappedFile file(settings.root / name);
      check_cifar_size(set.records, settings.root / name, file.bytes().size(), records);
    }
    return names.size() * records;
  };
  const std::size_t train = look(set.train, set.train_records);
  return outline_of_images(set.images, {train, look(set.test, set.test_records)}, augmentation);
}

DatasetFactory make_cifar(Options& options, int classes, std::string_view files) {
  const CifarSettings settings{.root = read_root(options, files), .classes = classes};
  return {.load =
              [settings](const Augmentation& augmentation) {
                return std::make_unique<ResidentImages>(read_cifar(settings, augmentation));
              },
          .partition = read_partition(options),
          .outline =
              [settings](const Augmentation& augmentation) {
                return outline_of_cifar(settings, augmentation);
              }};
}

}  // namespace

ResidentImages read_cifar(const CifarSettings& settings, const Augmentation& augmentation) {
  const CifarSet set = set_of(settings);
  return {set.images, read_cifar_files(set.records, settings.root, set.train, set.train_records),
          read_cifar_files(set.records, settings.root, set.test, set.test_records), augmentation};
}

DatasetFactory make_cifar10(Options& options) { return make_cifar(options, 10, kFilesOf10); }
DatasetFactory make_cifar100(Options& options) { return make_cifar(options, 100, kFilesOf100); }

}  // namespace localbatch
