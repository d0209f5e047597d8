#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/options.h"
#include "data/augmentation.h"
#include "data/dataset.h"
#include "experiment/kernels_file.h"
#include "nn/execution.h"
#include "nn/model.h"
#include "optim/inner_optimizer.h"
#include "optim/outer_optimizer.h"
#include "train/local_sgd.h"

namespace localbatch {

/// An experiment file with all its keys read and checked, and the file of kernels that it names.
/// Nothing else is loaded or allocated yet.
struct Experiment {
  std::string name;
  std::uint64_t seed = 1;
  int workers = 1;
  int threads_per_worker = 1;
  DatasetLoader load_dataset;
  Augmentation augmentation;
  ModelMaker make_model;
  Precision precision = Precision::kFloat32;
  bool winograd = true;
  KernelsFile kernels;
  InnerOptimizerChoice inner_optimizer;
  OuterOptimizerMaker make_outer_optimizer;
  StatePolicy batch_norm_at_sync = StatePolicy::kAverage;
  int micro_batch = 1;
  LocalSgd method;
  std::int64_t evaluate_every_samples = 0;  ///< 0: once per epoch

  std::vector<Declaration> resolved;  ///< every key with the value that was used
};

/// Reads all keys. Throws an InputError that says where for anything unknown, missing, of the wrong
/// type or out of range, and for a precision that the model or this CPU has no use for.
Experiment read_experiment(Options options, bool cpu_has_bfloat16 = supports_bfloat16());

/// One implementation of an exchangeable part, or a part of which there is only one.
struct PartDescription {
  std::string part;  ///< key in the experiment file, "batch_size_controller"; empty: the top level
  std::string name;  ///< value of `name:`; empty where there is nothing to choose
  std::string summary;
  std::vector<Declaration> keys;
};

/// Every part with every key, in the order of an experiment file.
std::vector<PartDescription> describe_parts();

}  // namespace localbatch
