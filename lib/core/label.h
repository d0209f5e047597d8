#pragma once

#include <cstdint>

namespace localbatch {

/// The class of an image, from 0. Two bytes: ImageNet has 1000 classes.
using Label = std::uint16_t;

}  // namespace localbatch
