#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/fixtures.h"
#include "data/image_folder.h"
#include "data/jpeg_files.h"

namespace localbatch {

/// A small ImageNet: classes "apple" and "pear", eight training and three test images of each.
/// Among them are grey, progressive, CMYK, tiny, long and turned ones.
class SmallImageNet {
 public:
  SmallImageNet() {
    const std::pair<int, int> sizes[] = {{50, 40}, {1, 1}, {3, 50}, {64, 64}, {37, 90}, {120, 33}};
    int seed = 0;
    for (const std::string set : {"train", "val"})
      for (const std::string name : {"pear", "apple"})
        for (int i = 0; i < (set == "train" ? 8 : 3); ++i, ++seed) {
          const auto [width, height] = sizes[static_cast<std::size_t>(seed % 6)];
          add(set + "/" + name + "/" + std::to_string(i) + (i % 2 == 0 ? ".JPEG" : ".jpg"),
              jpeg_bytes(smooth_image(width, height, seed), static_cast<JpegKind>(seed % 4),
                         seed % 9));
        }
    add("train/apple/notes.txt", {'x'});
    add("train/apple/._0.JPEG", {'x'});
  }

  std::filesystem::path root() const { return folder_.path(); }

  /// Writes a file, and the folders above it.
  void add(const std::string& name, const std::vector<unsigned char>& bytes) const {
    std::filesystem::create_directories((root() / name).parent_path());
    folder_.write(name, bytes);
  }

  /// Leaves the first `size` bytes of a file.
  void cut(const std::string& name, std::size_t size) const {
    std::filesystem::resize_file(root() / name, size);
  }

  ImageFolder load(Keys keys = {}, const Augmentation& augmentation = {}) const {
    keys.insert(keys.begin(), {{"name", "imagenet"}, {"root", root().string()}, {"size", "32"}});
    return std::move(dynamic_cast<ImageFolder&>(*localbatch::load(keys, augmentation)));
  }

 private:
  ScratchFolder folder_;
};

}  // namespace localbatch
