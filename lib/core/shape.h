#pragma once

#include <cstddef>
#include <cstdint>

namespace localbatch {

/// The shape of one image, stored channel by channel, row by row (C, H, W).
struct ImageShape {
  int channels = 0;
  int height = 0;
  int width = 0;

  std::size_t size() const {
    return static_cast<std::size_t>(channels) * static_cast<std::size_t>(height) *
           static_cast<std::size_t>(width);
  }
  friend bool operator==(const ImageShape&, const ImageShape&) = default;
};

/// The class of an image, from 0. Two bytes: ImageNet has 1000 classes.
using Label = std::uint16_t;

}  // namespace localbatch
