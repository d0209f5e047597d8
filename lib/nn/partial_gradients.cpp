#include "nn/partial_gradients.h"

#include <algorithm>

#include "nn/elementwise.h"

namespace localbatch {

SliceGroups::SliceGroups(int images, int per_slice, int max_groups)
    : images_(images),
      per_slice_(per_slice),
      slices_((images + per_slice - 1) / per_slice),
      groups_(std::min(slices_, max_groups)) {}

Images SliceGroups::slice(int index) const {
  const int first = index * per_slice_;
  return {.first = first, .count = std::min(per_slice_, images_ - first)};
}

int SliceGroups::first_slice(int group) const {
  if (slices_ < 2 * groups_) return slices_ * group / groups_;
  // Sizes fall from 3/2 of the average to 1/2 of it: this is their sum, rounded up.
  const int sum = slices_ * group * (3 * groups_ - group);
  const int unit = 2 * groups_ * groups_;
  return (sum + unit - 1) / unit;
}

void add_groups(Team& team, std::span<const float> partial, int groups, GradientUse use,
                std::span<float> gradient) {
  constexpr std::size_t kPiece = 16384;
  const std::size_t pieces = (gradient.size() + kPiece - 1) / kPiece;
  team.for_each(static_cast<int>(pieces), Phase::kWeights, [&](int piece, Thread&) {
    const std::size_t first = static_cast<std::size_t>(piece) * kPiece;
    const std::size_t count = std::min(kPiece, gradient.size() - first);
    if (use == GradientUse::kReplace)
      std::copy_n(partial.data() + first, count, gradient.data() + first);
    for (int group = use == GradientUse::kReplace ? 1 : 0; group < groups; ++group)
      add(partial.data() + static_cast<std::size_t>(group) * gradient.size() + first, count,
          gradient.data() + first);
  });
}

}  // namespace localbatch
