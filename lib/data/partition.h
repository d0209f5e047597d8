#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/options.h"
#include "core/shape.h"

namespace localbatch {

/// The samples of each worker, by worker; together the whole training set, every sample once.
using Shares = std::vector<std::vector<std::uint32_t>>;

/// How workers share a training set with these labels: a function of its arguments alone. No shares
/// at all mean that every worker draws from the whole set.
using Partition = std::function<Shares(std::span<const Label> labels, int num_classes,
                                       int num_workers, std::uint64_t seed)>;

/// iid, by_class, dirichlet, shards.
std::span<const PartRow<Partition>> partition_table();

/// Reads `partition` and the keys of the one that it names.
Partition read_partition(Options& options);

}  // namespace localbatch
