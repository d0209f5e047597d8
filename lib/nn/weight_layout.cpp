#include "nn/weight_layout.h"

#include <cstddef>

#include "nn/vector.h"

namespace localbatch {

namespace {

/// Calls body(place in the blocked order, place in the canonical order) for every weight.
template <class Body>
void for_each_weight(int channels, int filters, int window, const Body& body) {
  std::size_t blocked = 0;
  for (int k = 0; k < filters; k += kChannelBlock)
    for (int c = 0; c < channels; c += kChannelBlock)
      for (int at = 0; at < window; ++at)
        for (int i = 0; i < kChannelBlock; ++i)
          for (int o = 0; o < kChannelBlock; ++o, ++blocked)
            body(blocked, static_cast<std::size_t>((k + o) * channels + c + i) *
                                  static_cast<std::size_t>(window) +
                              static_cast<std::size_t>(at));
}

}  // namespace

void to_canonical_weights(std::span<const float> blocked, int channels, int filters, int window,
                          std::span<float> canonical) {
  for_each_weight(channels, filters, window,
                  [=](std::size_t from, std::size_t to) { canonical[to] = blocked[from]; });
}

void from_canonical_weights(std::span<const float> canonical, int channels, int filters, int window,
                            std::span<float> blocked) {
  for_each_weight(channels, filters, window,
                  [=](std::size_t to, std::size_t from) { blocked[to] = canonical[from]; });
}

}  // namespace localbatch
