#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"
#include "data/images.h"
#include "data/view.h"

namespace localbatch {

/// The names of many image files in class folders, class by class.
class FileList {
 public:
  explicit FileList(std::filesystem::path root) : root_(std::move(root)) {}

  /// Appends `root`/`folder`/`file`, whose class is `label`; labels never decrease.
  void add(const std::string& folder, const std::string& file, Label label);

  std::size_t size() const { return labels_.size(); }
  std::filesystem::path path(std::size_t index) const;
  const std::vector<Label>& labels() const { return labels_; }

  /// The memory that the list takes.
  std::size_t bytes() const;

 private:
  std::filesystem::path root_;
  std::vector<std::string> folders_;      ///< by label, empty where a class has no files
  std::vector<Label> labels_;             ///< by file
  std::string names_;                     ///< the names of all files, one behind the other
  std::vector<std::uint64_t> name_ends_;  ///< by file, in `names_`
};

/// Chooses which view of an image of this size is wanted.
using ChooseView = std::function<View(int width, int height)>;

/// A folder of images, and how they are read.
struct ImageFolderSettings {
  std::filesystem::path root;
  int size = 224;                  ///< side of an image as the network sees it
  int resize = 256;                ///< of the shorter side, before the middle is evaluated
  bool apply_orientation = false;  ///< turn images as their Exif data say (data/jpeg.h)
  bool skip_damaged = false;
};

/// Images that stay in their JPEG files: each is read and decoded when it is asked for, by any
/// number of threads at once.
///
/// A damaged file is found when it is decoded: looking at all of ImageNet beforehand would take an
/// hour. Unless damaged files are to be skipped, it ends the run with an InputError that names it.
/// A file that cannot be read at all always ends it, with a SystemError: what a disk or a network
/// fails to deliver today it may deliver tomorrow, and the same run would have other curves.
class ImageFiles {
 public:
  /// `content` is the checksum of what the list stands for.
  ImageFiles(FileList list, const ImageFolderSettings& settings, std::uint64_t content);

  const FileList& list() const { return list_; }

  /// A checksum of class names, file names and file sizes. The files' bytes are not read: that
  /// would be all of ImageNet (140 GB) before every run.
  std::uint64_t content() const { return content_; }

  /// Writes a view of image `index` as [channel][row][column]. In place of a damaged file that is
  /// skipped comes the next undamaged one of its class, after the last one the first: labels and
  /// the numbers of images of a class stay as they are, and which image is seen is a function of
  /// the folder alone.
  void read(std::size_t index, const ChooseView& choose, std::span<std::uint8_t> pixels) const;

  /// Writes a view of image `index`, or returns false when its file is damaged and skipped.
  bool try_read(std::size_t index, const ChooseView& choose, std::span<std::uint8_t> pixels) const;

  /// What is wrong with files that were skipped, a line for each that was not reported before.
  std::vector<std::string> take_reports();

 private:
  FileList list_;
  ImageFolderSettings settings_;
  std::uint64_t content_;

  // What reading has found out so far: a cache, and lines for a person.
  mutable std::mutex mutex_;  ///< of what follows
  mutable std::set<std::size_t> damaged_;
  mutable std::vector<std::string> reports_;
};

/// Images in class folders: `root`/train/<class>/<file> and `root`/val/<class>/<file>, where files
/// end in .jpeg or .jpg, in capitals or not. Classes are the folders of train in the order of the
/// bytes of their names, and so are the files of a class, so labels and order follow from the
/// folder's content. Names that begin with a dot and files with other endings are passed over.
/// ImageNet is the folder that the defaults are made for, any other one of this layout will do.
class ImageFolder final : public Dataset {
 public:
  /// Lists the files. Throws an InputError that names the folder without classes or images, or the
  /// class of val that train does not have; and for an augmentation that is for images in memory.
  ImageFolder(const ImageFolderSettings& settings, const Augmentation& augmentation);

  const ImageFolderSettings& settings() const { return settings_; }
  const ImageFormat& format() const { return format_; }
  const ImageFiles& train() const { return *train_; }
  const ImageFiles& test() const { return *test_; }

  std::size_t train_size() const override { return train_->list().size(); }
  std::size_t test_size() const override { return test_->list().size(); }
  SampleShape sample_shape() const override;
  std::string_view unit() const override { return "images"; }
  std::optional<SampleClasses> classes() const override;
  void write_training_sample(const Draw& draw, std::uint64_t seed,
                             const SamplePlace& to) const override;
  bool write_test_sample(std::size_t index, const SamplePlace& to) const override;
  bool write_plain_training_sample(std::size_t index, const SamplePlace& to) const override;
  /// Throws an InputError where an image that is held out may stand in for a damaged one.
  bool hold_out_end(std::size_t samples) override;
  std::uint64_t checksum() const override;
  std::size_t bytes() const override;
  std::vector<std::string> take_warnings() override;

 private:
  /// The middle of image `index`, or false when its file is damaged and skipped.
  bool write_middle(const ImageFiles& files, std::size_t index, const SamplePlace& to) const;

  ImageFolderSettings settings_;
  Augmentation augmentation_;
  ImageFormat format_;
  std::unique_ptr<ImageFiles> train_, test_;
};

DatasetFactory make_imagenet(Options& options);

}  // namespace localbatch
