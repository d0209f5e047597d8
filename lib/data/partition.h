#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/batch.h"
#include "core/options.h"

namespace localbatch {

/// The samples of each worker, by worker; together the whole training set, every sample once.
using Shares = std::vector<std::vector<std::uint32_t>>;

/// The class of every training sample.
struct SampleClasses {
  std::span<const Label> labels;  ///< [sample], below `count`
  int count = 0;
};

/// Says how workers share a training set: a function of its arguments alone. None: every worker
/// draws from the whole set. Throws an InputError when the partition needs classes and the samples
/// have none.
struct Partition {
  std::function<std::optional<Shares>(const std::optional<SampleClasses>& classes, int num_workers,
                                      std::uint64_t seed)>
      share;
  bool looks_at_classes = true;

  std::optional<Shares> operator()(const std::optional<SampleClasses>& classes, int num_workers,
                                   std::uint64_t seed) const {
    return share(classes, num_workers, seed);
  }
};

/// iid, by_class, dirichlet, shards.
std::span<const PartRow<Partition>> partition_table();

/// Reads `partition` and the keys of the one that it names.
Partition read_partition(Options& options);

}  // namespace localbatch
