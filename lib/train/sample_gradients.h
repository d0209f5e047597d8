#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "train/gradient_statistics.h"

namespace localbatch {

/// Which samples, and what of them.
struct SampleRequest {
  int samples = 0;
  /// A set of its own, drawn from the worker's data for this round; none: the next ones that the
  /// worker will draw, which it will then still draw.
  std::optional<std::int64_t> audit_round = std::nullopt;
  bool inner_products = false;
};

/// What is known of the gradients g_i of single samples at a worker's parameters.
struct SampleGradients {
  std::vector<double> squared_norms;   ///< |g_i|^2
  std::vector<double> inner_products;  ///< <g_i, g> with their mean g; empty: not asked for
  double mean_squared_norm = 0;        ///< |g|^2

  std::size_t size() const { return squared_norms.size(); }
};

/// The samples as the chunks of one group.
GroupSums group_sums(const SampleGradients& samples);

/// The same without sample i (the jackknife). Where inner products were not asked for, <g_i, g> is
/// taken to be their mean, |g|^2; the inner products of the other samples are taken with the g of
/// all.
GroupSums group_sums_without(const SampleGradients& samples, const GroupSums& all, std::size_t i);

}  // namespace localbatch
