#include "nn/network.h"

#include <algorithm>

namespace localbatch {

ParallelFor Network::parallel_for() {
  return [this](std::size_t count, const RangeWork& work) {
    constexpr std::size_t kPiece = std::size_t{1} << 16;
    const auto pieces = static_cast<int>((count + kPiece - 1) / kPiece);
    for_each(pieces, [&](int piece) {
      const std::size_t first = static_cast<std::size_t>(piece) * kPiece;
      work(first, std::min(count, first + kPiece));
    });
  };
}

}  // namespace localbatch
