#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/make_node.h"
#include "core/options.h"
#include "data/resident_images.h"

namespace localbatch {

/// A new empty folder that goes away with this object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "localbatch-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) fail_system("mkdtemp failed: {}", pattern);
    path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path write(const std::string& name,
                              const std::vector<unsigned char>& bytes) const {
    std::ofstream file(path_ / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// What the InputError of `action` says, or a line that no test expects.
template <class Action>
std::string input_error(const Action& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "(no InputError)";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A mapping of scalars as an experiment file would hold it.
inline Node mapping(const std::vector<std::pair<std::string, std::string>>& keys) {
  std::vector<std::pair<std::string, Node>> entries;
  entries.reserve(keys.size());
  for (const auto& [key, value] : keys) entries.emplace_back(key, scalar(value));
  return map(entries);
}

using Keys = std::vector<std::pair<std::string, std::string>>;

/// Reads the data set that `keys` describe.
inline DatasetFactory dataset_factory(const Keys& keys) {
  const Node node = mapping(keys);
  Options options(node);
  DatasetFactory factory = make_part(dataset_table(), options, "", "the data set");
  options.finish();
  return factory;
}

/// Reads the data set that `keys` describe and loads it.
inline std::unique_ptr<Dataset> load(const Keys& keys, const Augmentation& augmentation = {}) {
  return dataset_factory(keys).load(augmentation);
}

/// Loads a data set whose images are in memory.
inline ResidentImages load_images(const Keys& keys) {
  return dynamic_cast<ResidentImages&>(*load(keys));
}

/// The numbers that a network sees of an image.
inline std::vector<float> floats_of(const Dataset& dataset,
                                    const std::function<void(const SamplePlace&)>& write) {
  std::vector<float> image(dataset.sample_shape().input_bytes() / sizeof(float),
                           std::numeric_limits<float>::quiet_NaN());
  std::vector<std::int32_t> targets(dataset.sample_shape().targets());
  write({.input = std::as_writable_bytes(std::span(image)), .targets = targets});
  return image;
}

inline std::vector<float> training_image(const Dataset& dataset, std::uint64_t seed,
                                         const Draw& draw) {
  return floats_of(
      dataset, [&](const SamplePlace& place) { dataset.write_training_sample(draw, seed, place); });
}

inline std::vector<float> test_image(const Dataset& dataset, std::size_t index) {
  return floats_of(dataset, [&](const SamplePlace& place) {
    check(dataset.write_test_sample(index, place), "a test image is not damaged");
  });
}

}  // namespace localbatch
