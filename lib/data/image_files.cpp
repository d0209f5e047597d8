#include "data/image_files.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "data/exif.h"
#include "data/jpeg.h"
#include "data/resample.h"

namespace localbatch {

namespace {

std::vector<unsigned char> bytes_of(const std::filesystem::path& path) {
  try {
    return read_file(path);
  } catch (const InputError& error) {  // it was there when the run began
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

ImageFiles::ImageFiles(FileList list, const FileSettings& settings, std::uint64_t content)
    : list_(std::move(list)), settings_(settings), content_(content) {}

bool ImageFiles::try_read(std::size_t index, const ChooseView& choose,
                          std::span<std::uint8_t> pixels) {
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
      fail_system("{}: damaged image: {} ('damaged_files: skip' leaves such files out)",
                  path.string(), damage.what());
    const std::scoped_lock lock(mutex_);
    if (damaged_.insert(index).second)
      reports_.push_back(fmt::format("{}: skipped: {}", path.string(), damage.what()));
    return false;
  }
}

void ImageFiles::read(std::size_t index, const ChooseView& choose, std::span<std::uint8_t> pixels) {
  if (try_read(index, choose, pixels)) return;
  const std::vector<Label>& labels = list_.labels();
  const auto [begin, end] = std::equal_range(labels.begin(), labels.end(), labels[index]);
  const auto first = static_cast<std::size_t>(begin - labels.begin());
  const auto count = static_cast<std::size_t>(end - begin);
  for (std::size_t next = index + 1; next < index + count; ++next)
    if (try_read(first + (next - first) % count, choose, pixels)) return;
  fail_system("{}: all images in this folder are damaged",
              list_.path(index).parent_path().string());
}

std::vector<std::string> ImageFiles::take_reports() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(reports_, {});
}

}  // namespace localbatch
