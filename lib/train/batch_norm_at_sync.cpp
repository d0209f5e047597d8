#include "train/batch_norm_at_sync.h"

#include <algorithm>

namespace localbatch {

BatchNormAtSync read_batch_norm_at_sync(Options& options) {
  const std::vector<std::string> policies{"average", "local", "reset", "recompute"};
  const std::string chosen = options.choice(
      "batch_norm_at_sync",
      {.fallback = "average",
       .choices = policies,
       .meaning = "running statistics of batch norm at a synchronization: averaged over the "
                  "workers, each worker's own (evaluated with their mean), reset in every round, "
                  "or local and computed anew on training images before every evaluation"});
  BatchNormAtSync read;
  read.policy =
      static_cast<BatchNormAtSync::Policy>(std::ranges::find(policies, chosen) - policies.begin());
  read.batches = static_cast<int>(options.integer(
      "batch_norm_batches",
      {.fallback = 128,
       .min = 1,
       .max = 1'000'000,
       .meaning = "micro-batches, of all workers together, that batch_norm_at_sync: recompute "
                  "takes (128 as in the code of Gu et al. 2024)"}));
  return read;
}

}  // namespace localbatch
