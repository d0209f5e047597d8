#include "data/image_folder.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <limits>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "data/jpeg.h"
#include "data/root_folder.h"

namespace localbatch {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kImageFiles = "train/<class>/*.JPEG and val/<class>/*.JPEG";

bool is_jpeg_name(const fs::path& path) {
  std::string suffix = path.extension().string();
  std::ranges::transform(suffix, suffix.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return suffix == ".jpeg" || suffix == ".jpg";
}

/// The entries of a folder that `wanted` accepts, sorted by the bytes of their names.
template <class Wanted>
std::vector<fs::directory_entry> sorted_entries(const fs::path& folder, const Wanted& wanted) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    if (!entry->path().filename().string().starts_with('.') && wanted(*entry))
      entries.push_back(*entry);
  if (error) fail_input("{}: cannot be read: {}", folder.string(), error.message());
  std::ranges::sort(entries, {},
                    [](const auto& found) { return found.path().filename().string(); });
  return entries;
}

std::vector<std::string> class_names(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : sorted_entries(folder, [](const auto& found) {
         std::error_code error;
         return found.is_directory(error);
       }))
    names.push_back(entry.path().filename().string());
  if (names.empty())
    fail_input(
        "{}: holds no class folders, expected {} in the folder above (how to make them: "
        "data/README.md)",
        folder.string(), kImageFiles);
  return names;
}

/// Lists the files below `folder`, each with the label that `classes` give to its class.
std::unique_ptr<ImageFiles> list_images(const fs::path& folder,
                                        const std::vector<std::string>& classes,
                                        const ImageFolderSettings& settings) {
  FileList list(folder);
  std::uint64_t content = 0;
  for (const std::string& name : class_names(folder)) {
    const auto found = std::ranges::lower_bound(classes, name);
    if (found == classes.end() || *found != name)
      fail_input("{}: no class of train has this name", (folder / name).string());
    const auto label = static_cast<Label>(found - classes.begin());
    const auto files =
        sorted_entries(folder / name, [](const auto& entry) { return is_jpeg_name(entry.path()); });
    if (files.empty())
      fail_input("{}: holds no image, expected files that end in .JPEG, .jpeg or .jpg",
                 (folder / name).string());
    std::string text = name;
    for (const fs::directory_entry& file : files) {
      const std::string file_name = file.path().filename().string();
      std::error_code error;
      const std::uintmax_t size = file.file_size(error);
      if (error) fail_input("{}: {}", file.path().string(), error.message());
      list.add(name, file_name, label);
      text += fmt::format("/{}/{}", file_name, size);
    }
    const std::uint64_t both[] = {content, checksum(std::as_bytes(std::span(text)))};
    content = checksum(std::as_bytes(std::span(both)));
  }
  if (list.size() > std::numeric_limits<std::uint32_t>::max())
    fail_input("{}: found {} images, allowed are at most {}", folder.string(), list.size(),
               std::numeric_limits<std::uint32_t>::max());
  return std::make_unique<ImageFiles>(std::move(list), settings, content);
}

}  // namespace

ImageFolder::ImageFolder(const ImageFolderSettings& settings, const Augmentation& augmentation)
    : settings_(settings), augmentation_(augmentation) {
  const fs::path train = settings.root / "train", val = settings.root / "val";
  require_folder({.path = settings.root, .files = kImageFiles});
  require_folder({.path = train, .files = "<class>/*.JPEG"});
  require_folder({.path = val, .files = "<class>/*.JPEG"});
  const std::vector<std::string> classes = class_names(train);
  constexpr std::size_t kMaxClasses = std::size_t{std::numeric_limits<Label>::max()} + 1;
  if (classes.size() > kMaxClasses)
    fail_input("{}: found {} classes, allowed are at most {}", train.string(), classes.size(),
               kMaxClasses);
  // Mean and stddev of ImageNet as torchvision's training reference has them.
  format_ = {.shape = {.channels = 3, .height = settings.size, .width = settings.size},
             .num_classes = static_cast<int>(classes.size()),
             .mean = {0.485F, 0.456F, 0.406F},
             .stddev = {0.229F, 0.224F, 0.225F}};
  train_ = list_images(train, classes, settings);
  test_ = list_images(val, classes, settings);
  if (augmentation_.pad_crop > 0)
    fail_input(
        "augmentation.pad_crop: found {}, which is for images in memory; allowed is 0, and "
        "'random_resized_crop: true' for images in files",
        augmentation_.pad_crop);
}

SampleShape ImageFolder::sample_shape() const {
  return {.input = format_.shape, .num_classes = format_.num_classes};
}

std::optional<SampleClasses> ImageFolder::classes() const {
  return SampleClasses{.labels = train_->list().labels(), .count = format_.num_classes};
}

void ImageFolder::write_training_sample(const Draw& draw, std::uint64_t seed,
                                        const SamplePlace& to) const {
  RandomStream random = augmentation_stream(seed, draw);
  const bool mirrored = random.below(2) == 1 && augmentation_.flip;
  std::vector<std::uint8_t> bytes(format_.shape.size());
  const auto choose = [&](int width, int height) {
    return augmentation_.random_resized_crop
               ? random_resized_crop(width, height, settings_.size, random)
               : centre_crop(width, height, settings_.resize, settings_.size);
  };
  train_->read(draw.sample, choose, bytes);
  write_image(format_, bytes, {.mirrored = mirrored}, to.input);
  to.targets[0] = train_->list().labels()[draw.sample];
}

bool ImageFolder::write_middle(const ImageFiles& files, std::size_t index,
                               const SamplePlace& to) const {
  std::vector<std::uint8_t> bytes(format_.shape.size());
  const auto middle = [&](int width, int height) {
    return centre_crop(width, height, settings_.resize, settings_.size);
  };
  if (!files.try_read(index, middle, bytes)) return false;
  write_image(format_, bytes, {}, to.input);
  to.targets[0] = files.list().labels()[index];
  return true;
}

bool ImageFolder::write_test_sample(std::size_t index, const SamplePlace& to) const {
  return write_middle(*test_, index, to);
}

bool ImageFolder::write_plain_training_sample(std::size_t index, const SamplePlace& to) const {
  return write_middle(*train_, index, to);
}

bool ImageFolder::hold_out_end(std::size_t samples) {
  if (settings_.skip_damaged)
    fail_input(
        "dataset.validation: found {} with 'damaged_files: skip', which in training lets any image "
        "of its class stand in for a damaged one; allowed is 'damaged_files: fatal'",
        samples);
  return false;
}

std::uint64_t ImageFolder::checksum() const {
  std::uint64_t all = 0;
  for (const ImageFiles* const files : {train_.get(), test_.get()}) {
    const std::uint64_t both[] = {all, files->content()};
    all = localbatch::checksum(std::as_bytes(std::span(both)));
  }
  return all;
}

std::size_t ImageFolder::bytes() const { return train_->list().bytes() + test_->list().bytes(); }

std::vector<std::string> ImageFolder::take_warnings() {
  std::vector<std::string> warnings = train_->take_reports();
  std::ranges::move(test_->take_reports(), std::back_inserter(warnings));
  return warnings;
}

DatasetFactory make_imagenet(Options& options) {
  ImageFolderSettings settings;
  settings.root = read_root(options, kImageFiles);
  settings.size = options.integer<int>(
      "size", {.fallback = settings.size,
               .min = 1,
               .max = 1024,
               .meaning = "side of the square images that the network sees, in pixels"});
  settings.resize = options.integer<int>(
      "resize", {.fallback = (settings.size * 256 + 112) / 224,
                 .min = 1,
                 .max = 4096,
                 .meaning = "an image that is evaluated is resized until its shorter side has this "
                            "many pixels, then the middle is cut out; default: 8/7 of size"});
  if (settings.resize < settings.size)
    options.fail("resize", fmt::format("found {}, allowed is at least size = {}", settings.resize,
                                       settings.size));
  settings.apply_orientation = options.choice<bool>(
      "exif_orientation", {.fallback = false,
                           .choices = {{"ignore", false}, {"apply", true}},
                           .meaning = "what to do with the note of a camera that it was held "
                                      "sideways: ignore it, as torchvision's ImageFolder does and "
                                      "published results on ImageNet do, or turn the image "
                                      "upright"});
  settings.skip_damaged = options.choice<bool>(
      "damaged_files",
      {.fallback = false,
       .choices = {{"fatal", false}, {"skip", true}},
       .meaning = "an image that cannot be decoded in full ends the run; or it is reported on "
                  "standard error, the next one of its class stands in for it in training, and "
                  "evaluations do without it"});
  return {.load =
              [settings](const Augmentation& augmentation) {
                return std::make_unique<ImageFolder>(settings, augmentation);
              },
          .partition = read_partition(options)};
}

namespace {

std::vector<unsigned char> bytes_of(const std::filesystem::path& path) {
  try {
    return read_file(path);
  } catch (const InputError& error) {  // the file was there when the run began
    fail_system("{}", error.what());
  }
}

void write_view(std::span<const unsigned char> file, bool apply_orientation,
                const ChooseView& choose, std::span<std::uint8_t> pixels) {
  JpegReader reader(file);
  const int orientation = apply_orientation ? reader.orientation() : kUpright;
  int width = reader.width(), height = reader.height();
  if (swaps_sides(orientation)) std::swap(width, height);
  const View view = choose(width, height);
  const RgbImage image = upright(reader.decode(reduction_for(view)), orientation);
  resample(image, scaled(view, width, height, image.width, image.height), pixels);
}

}  // namespace

void FileList::add(const std::string& folder, const std::string& file, Label label) {
  check(labels_.empty() || labels_.back() <= label, "files are listed class by class");
  folders_.resize(std::size_t{label} + 1);
  folders_[label] = folder;
  labels_.push_back(label);
  names_ += file;
  name_ends_.push_back(names_.size());
}

std::filesystem::path FileList::path(std::size_t index) const {
  const std::uint64_t begin = index == 0 ? 0 : name_ends_[index - 1];
  return root_ / folders_[labels_[index]] / names_.substr(begin, name_ends_[index] - begin);
}

std::size_t FileList::bytes() const {
  return names_.size() + labels_.size() * sizeof(Label) + name_ends_.size() * sizeof(std::uint64_t);
}

ImageFiles::ImageFiles(FileList list, const ImageFolderSettings& settings, std::uint64_t content)
    : list_(std::move(list)), settings_(settings), content_(content) {}

bool ImageFiles::try_read(std::size_t index, const ChooseView& choose,
                          std::span<std::uint8_t> pixels) const {
  {
    const std::scoped_lock lock(mutex_);
    if (damaged_.contains(index)) return false;
  }
  const std::filesystem::path path = list_.path(index);
  const std::vector<unsigned char> file = bytes_of(path);
  try {
    write_view(file, settings_.apply_orientation, choose, pixels);
    return true;
  } catch (const DamagedImage& damage) {
    if (!settings_.skip_damaged)
      fail_input("{}: damaged image: {} ('damaged_files: skip' leaves such files out)",
                 path.string(), damage.what());
    const std::scoped_lock lock(mutex_);
    if (damaged_.insert(index).second)
      reports_.push_back(fmt::format("{}: skipped: {}", path.string(), damage.what()));
    return false;
  }
}

void ImageFiles::read(std::size_t index, const ChooseView& choose,
                      std::span<std::uint8_t> pixels) const {
  if (try_read(index, choose, pixels)) return;
  const std::vector<Label>& labels = list_.labels();
  const auto [begin, end] = std::equal_range(labels.begin(), labels.end(), labels[index]);
  const auto first = static_cast<std::size_t>(begin - labels.begin());
  const auto count = static_cast<std::size_t>(end - begin);
  for (std::size_t next = index + 1; next < index + count; ++next)
    if (try_read(first + (next - first) % count, choose, pixels)) return;
  fail_input("{}: all images in this folder are damaged", list_.path(index).parent_path().string());
}

std::vector<std::string> ImageFiles::take_reports() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(reports_, {});
}

}  // namespace localbatch
