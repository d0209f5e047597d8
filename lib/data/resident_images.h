#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "data/images.h"

namespace localbatch {

/// Labelled images whose bytes are in memory, in the order of their file.
struct ImageSet {
  std::vector<std::uint8_t> pixels;  ///< [image][channel][row][column]
  std::vector<Label> labels;         ///< [image], below num_classes

  std::size_t size() const { return labels.size(); }
};

/// How many images such a data set has.
struct ImageCounts {
  std::size_t train = 0, test = 0;
};

/// A data set of images of which nobody wants to see any. Throws an InputError as ResidentImages
/// does.
std::unique_ptr<Dataset> outline_of_images(const ImageFormat& format, const ImageCounts& counts,
                                           const Augmentation& augmentation);

/// A data set of images that are all in memory. Training images can be cropped after padding, and
/// mirrored; a crop offset is the same with and without flips, and a flip the same with and without
/// crops.
class ResidentImages final : public Dataset {
 public:
  /// Throws an InputError for an augmentation that is for images in files.
  ResidentImages(ImageFormat format, ImageSet train, ImageSet test,
                 const Augmentation& augmentation);

  const ImageFormat& format() const { return format_; }
  const ImageSet& train() const { return train_; }
  const ImageSet& test() const { return test_; }

  /// The bytes of one image of a set.
  std::span<const std::uint8_t> image(const ImageSet& set, std::size_t index) const;

  std::size_t train_size() const override { return train_.size(); }
  std::size_t test_size() const override { return test_.size(); }
  SampleShape sample_shape() const override;
  std::string_view unit() const override { return "images"; }
  std::optional<SampleClasses> classes() const override;
  void write_training_sample(const Draw& draw, std::uint64_t seed,
                             const SamplePlace& to) const override;
  bool write_test_sample(std::size_t index, const SamplePlace& to) const override;
  bool write_plain_training_sample(std::size_t index, const SamplePlace& to) const override;

  /// A checksum of all images and labels.
  std::uint64_t checksum() const override;
  std::size_t bytes() const override;

 private:
  ImageFormat format_;
  ImageSet train_, test_;
  Augmentation augmentation_;
};

}  // namespace localbatch
