#include "train/batch_norm_at_sync.h"

namespace localbatch {

BatchNormAtSync read_batch_norm_at_sync(Options& options) {
  using Policy = BatchNormAtSync::Policy;
  BatchNormAtSync read;
  read.policy = options.choice<Policy>(
      "batch_norm_at_sync",
      {.fallback = Policy::kAverage,
       .choices = {{"average", Policy::kAverage},
                   {"local", Policy::kLocal},
                   {"reset", Policy::kReset},
                   {"recompute", Policy::kRecompute}},
       .meaning = "running statistics of batch norm at a synchronization: averaged over the "
                  "workers, each worker's own (evaluated with their mean), reset in every round, "
                  "or local and computed anew on training images before every evaluation"});
  read.batches = options.integer<int>(
      "batch_norm_batches",
      {.fallback = 128,
       .min = 1,
       .max = 1'000'000,
       .meaning = "micro-batches, of all workers together, that batch_norm_at_sync: recompute "
                  "takes (128 as in the code of Gu et al. 2024)"});
  return read;
}

}  // namespace localbatch
