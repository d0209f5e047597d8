#pragma once

#include <vector>

namespace localbatch {

/// Rotary position embedding (Su et al. 2021, RoFormer): pair j of a head of e numbers is turned by
/// the angle t base^(-2j/e) at position t, so that inner products of queries and keys depend on
/// distances only.
///
/// Pairs are (j, j + e/2), the convention of Hugging Face's models; Meta's have (2j, 2j + 1). A
/// permutation of the rows of the projections of queries and keys turns one into the other.
class Rotary {
 public:
  /// For positions 0 .. length - 1. `head_size` is even.
  Rotary(int length, int head_size, double base);

  /// One head, in place.
  void rotate(float* head, int position) const;
  /// By minus the angle: the way back, and that of a gradient.
  void rotate_back(float* head, int position) const;

 private:
  int half_;
  std::vector<float> cos_, sin_;  ///< [position][pair], computed in double
};

}  // namespace localbatch
