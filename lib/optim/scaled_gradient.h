#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace localbatch {

/// Calls work(first, part) for parts of a gradient times a factor, one behind the other; `first` is
/// the place of a part's first number. What a factor of 1 gives is the gradient itself, and no
/// arithmetic is fused with the factor, so that clipping which does nothing changes no bit.
template <class Work>
void for_scaled(std::span<const float> gradient, double factor, const Work& work) {
  if (factor == 1) return work(std::size_t{0}, gradient);
  const auto scale = static_cast<float>(factor);
  std::array<float, 1024> scaled{};
  for (std::size_t first = 0; first < gradient.size(); first += scaled.size()) {
    const auto part = gradient.subspan(first, std::min(scaled.size(), gradient.size() - first));
    std::ranges::transform(part, scaled.begin(), [scale](float g) { return scale * g; });
    work(first, std::span<const float>(scaled).first(part.size()));
  }
}

}  // namespace localbatch
