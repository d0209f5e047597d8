#pragma once

#include <cstddef>
#include <vector>

#include "nn/image_model.h"

namespace localbatch {

/// When a value of the network is computed, and whether it is kept.
enum class Storage {
  kCaller,  ///< the input, which belongs to the caller
  kWhenItsLayerRuns,
  kAtFirstRead,  ///< its layer computes it when the first reader asks, slice by slice, and keeps it
  kNever         ///< its layer computes it anew for every reader
};

/// How a layer hands a contribution to the diff (the gradient of the loss) of a value that it
/// reads.
enum class DiffUse {
  kNone,   ///< nobody needs it: the value is the network's input
  kWrite,  ///< the first contribution of the backward pass
  kAdd,
  kShared,  ///< the first one, and equal to the layer's own diff: both are one array
};

/// How a layer treats one of its sources.
struct SourcePlan {
  ValueId value = 0;
  DiffUse diff = DiffUse::kNone;
  bool first_reader =
      false;  ///< this layer reads the value first, hence contributes to its diff last
};

struct ValuePlan {
  Storage storage = Storage::kWhenItsLayerRuns;
  int diff_array = -1;  ///< several values take turns with one array; -1: no diff is stored
};

/// Which values and diffs are stored, and where; a function of the model alone.
///
/// A normalization's output is cheap to compute from its input, so it is not computed in a pass of
/// its own: the layer that reads it asks for a slice of images, uses it while it is in the cache,
/// and asks again in the backward pass. Outputs with several readers, or with a residual, are kept.
/// Likewise the diff of a normalization's input is computed when the layer below asks for a
/// slice.
struct ExecutionPlan {
  std::vector<ValuePlan> values;                 ///< by ValueId
  std::vector<std::vector<SourcePlan>> sources;  ///< by layer, in the order of sources()
  std::vector<std::size_t> diff_array_sizes;     ///< values per image
};

ExecutionPlan plan_execution(const ImageModel& model);

}  // namespace localbatch
