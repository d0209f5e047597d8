#pragma once

#include <cstddef>

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

}  // namespace localbatch
