#pragma once

#include <cstddef>
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

/// What a partition sees of a training set.
struct SamplesToShare {
  std::size_t count = 0;
  std::optional<SampleClasses> classes;  ///< none where samples have no classes
};

/// Says how workers share a training set: a function of its arguments alone. None: every worker
/// draws from the whole set. Throws an InputError when the partition needs classes and the samples
/// have none.
struct Partition {
  std::function<std::optional<Shares>(const SamplesToShare& samples, int num_workers,
                                      std::uint64_t seed)>
      share;
  bool has_shares = true;        ///< whether each worker draws from samples of its own
  bool looks_at_classes = true;  ///< whether classes change what it does

  std::optional<Shares> operator()(const SamplesToShare& samples, int num_workers,
                                   std::uint64_t seed) const {
    return share(samples, num_workers, seed);
  }
};

/// iid, by_class, dirichlet, shards.
std::span<const PartRow<Partition>> partition_table();

/// Reads `partition` and the keys of the one that it names.
Partition read_partition(Options& options);

/// The same for samples that have no classes: iid or shards.
Partition read_partition_without_classes(Options& options);

}  // namespace localbatch
