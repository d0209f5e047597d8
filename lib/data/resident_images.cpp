#include "data/resident_images.h"

#include <utility>

#include "core/error.h"
#include "core/files.h"

namespace localbatch {

namespace {

Crop draw_crop(const Augmentation& augmentation, RandomStream random) {
  const auto offsets = static_cast<std::uint32_t>(2 * augmentation.pad_crop + 1);
  const int dy = static_cast<int>(random.below(offsets)) - augmentation.pad_crop;
  const int dx = static_cast<int>(random.below(offsets)) - augmentation.pad_crop;
  return {.dy = dy, .dx = dx, .mirrored = random.below(2) == 1 && augmentation.flip};
}

std::size_t bytes_of(const ImageSet& set) {
  return set.pixels.size() + set.labels.size() * sizeof(Label);
}

void check_augmentation(const Augmentation& augmentation) {
  if (augmentation.random_resized_crop)
    fail_input(
        "augmentation.random_resized_crop: found true, which is for images in files (dataset: "
        "imagenet); allowed is false, and pad_crop for images in memory");
}

class ImageOutline final : public Dataset {
 public:
  ImageOutline(ImageFormat format, const ImageCounts& counts)
      : format_(std::move(format)), counts_(counts) {}

  std::size_t train_size() const override { return counts_.train; }
  std::size_t test_size() const override { return counts_.test; }
  SampleShape sample_shape() const override {
    return {.input = format_.shape, .num_classes = format_.num_classes};
  }
  std::string_view unit() const override { return "images"; }
  std::optional<SampleClasses> classes() const override { return {}; }
  void write_training_sample(const Draw&, std::uint64_t, const SamplePlace&) const override {
    internal_error(kUnread);
  }
  bool write_test_sample(std::size_t, const SamplePlace&) const override {
    internal_error(kUnread);
  }
  bool write_plain_training_sample(std::size_t, const SamplePlace&) const override {
    internal_error(kUnread);
  }
  std::uint64_t checksum() const override { internal_error(kUnread); }
  std::size_t bytes() const override {
    return (counts_.train + counts_.test) * (format_.shape.size() + sizeof(Label));
  }

 private:
  static constexpr std::string_view kUnread = "an outline has no samples";

  ImageFormat format_;
  ImageCounts counts_;
};

}  // namespace

std::unique_ptr<Dataset> outline_of_images(const ImageFormat& format, const ImageCounts& counts,
                                           const Augmentation& augmentation) {
  check_augmentation(augmentation);
  return std::make_unique<ImageOutline>(format, counts);
}

ResidentImages::ResidentImages(ImageFormat format, ImageSet train, ImageSet test,
                               const Augmentation& augmentation)
    : format_(std::move(format)),
      train_(std::move(train)),
      test_(std::move(test)),
      augmentation_(augmentation) {
  check_augmentation(augmentation_);
}

std::span<const std::uint8_t> ResidentImages::image(const ImageSet& set, std::size_t index) const {
  check(index < set.size(), "an image of the set is asked for");
  return std::span(set.pixels).subspan(index * format_.shape.size(), format_.shape.size());
}

SampleShape ResidentImages::sample_shape() const {
  return {.input = format_.shape, .num_classes = format_.num_classes};
}

std::optional<SampleClasses> ResidentImages::classes() const {
  return SampleClasses{.labels = train_.labels, .count = format_.num_classes};
}

void ResidentImages::write_training_sample(const Draw& draw, std::uint64_t seed,
                                           const SamplePlace& to) const {
  write_image(format_, image(train_, draw.sample),
              draw_crop(augmentation_, augmentation_stream(seed, draw)), to.input);
  to.targets[0] = train_.labels[draw.sample];
}

bool ResidentImages::write_test_sample(std::size_t index, const SamplePlace& to) const {
  write_image(format_, image(test_, index), {}, to.input);
  to.targets[0] = test_.labels[index];
  return true;
}

bool ResidentImages::write_plain_training_sample(std::size_t index, const SamplePlace& to) const {
  write_image(format_, image(train_, index), {}, to.input);
  to.targets[0] = train_.labels[index];
  return true;
}

std::uint64_t ResidentImages::checksum() const {
  std::uint64_t all = 0;
  const auto add = [&all](const std::vector<std::uint8_t>& bytes) {
    const std::uint64_t both[] = {all, localbatch::checksum(std::as_bytes(std::span(bytes)))};
    all = localbatch::checksum(std::as_bytes(std::span(both)));
  };
  for (const ImageSet* const set : {&train_, &test_}) {
    add(set->pixels);
    // One byte for each label, as in the files of all these data sets.
    add(std::vector<std::uint8_t>(set->labels.begin(), set->labels.end()));
  }
  return all;
}

std::size_t ResidentImages::bytes() const { return bytes_of(train_) + bytes_of(test_); }

}  // namespace localbatch
