#pragma once

#include <vector>

#include "comm/mean_tree.h"

namespace localbatch {

inline std::vector<Subtree> single_workers(int num_workers) {
  std::vector<Subtree> workers;
  for (int worker = 0; worker < num_workers; ++worker) workers.push_back({worker, 1});
  return workers;
}

/// The mean over workers of their arrays, made in one place of all of them.
inline std::vector<float> mean_of(const std::vector<std::vector<float>>& arrays,
                                  const MeanRounding& rounding) {
  const auto num_workers = static_cast<int>(arrays.size());
  const Subtree all{0, num_workers};
  std::vector<const float*> rows;
  for (const auto& array : arrays) rows.push_back(array.data());
  std::vector<float> mean(arrays[0].size());
  float* const out = mean.data();
  SubtreeMeans(single_workers(num_workers), {&all, 1})
      .compute(rows, {0, mean.size()}, rounding, {&out, 1});
  return mean;
}

}  // namespace localbatch
