#pragma once

#include <span>

namespace localbatch {

/// The layout in which our own convolutions keep their weights, [K/block][C/block][rows][columns]
/// [block of C][block of K], from and to the order of files, [K][C][rows][columns]. `window` is
/// rows * columns; C and K are multiples of kChannelBlock.
void to_canonical_weights(std::span<const float> blocked, int channels, int filters, int window,
                          std::span<float> canonical);
void from_canonical_weights(std::span<const float> canonical, int channels, int filters, int window,
                            std::span<float> blocked);

}  // namespace localbatch
