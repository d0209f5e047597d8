#pragma once

#include <functional>
#include <span>

#include "nn/layer.h"

namespace localbatch {

/// The gradient by a layer's weights is a sum over images, and the bits of a sum depend on the
/// order. So that they do not depend on the threads, the slices of a micro-batch are dealt to at
/// most this many groups, however many threads there are; a group adds its slices in their order,
/// and the groups are added in theirs.
constexpr int kMaxGroups = 16;

/// Cuts a micro-batch into slices of `per_slice` images and those into groups.
class SliceGroups {
 public:
  SliceGroups(int images, int per_slice, int max_groups = kMaxGroups);

  int slices() const { return slices_; }
  int groups() const { return groups_; }
  Images slice(int index) const;
  /// Where there are enough slices, later groups have fewer of them: threads that take one group
  /// after the other then end at nearly the same time.
  int first_slice(int group) const;

 private:
  int images_, per_slice_, slices_, groups_;
};

/// The partial gradients of all groups, one after the other, added to `gradient` or in its place.
/// `partial` holds them one behind the other, each as long as `gradient`.
void add_groups(Team& team, std::span<const float> partial, int groups, GradientUse use,
                std::span<float> gradient);

}  // namespace localbatch
