#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/options.h"
#include "data/augmentation.h"
#include "data/dataset.h"
#include "nn/execution.h"
#include "nn/kernels_file.h"
#include "nn/model.h"
#include "optim/inner_optimizer.h"
#include "optim/outer_optimizer.h"
#include "problems/problem.h"
#include "train/batch_norm_at_sync.h"
#include "train/method.h"

namespace localbatch {

/// A controller that looks and does not act.
struct ShadowController {
  std::string settings;  ///< name and keys, "norm_test eta=0.8"
  std::shared_ptr<const BatchSizeController> controller;
};

/// An experiment file with all its keys read and checked, and the file of kernels that it names.
/// Nothing else is loaded or allocated yet.
struct Experiment {
  std::string name;
  std::uint64_t seed = 1;
  int workers = 1;
  int threads_per_worker = 1;
  ProblemFactory problem;      ///< without `make`: a network
  DatasetLoader load_dataset;  ///< this and all of the network is empty where it was not read
  Augmentation augmentation;
  ModelFactory make_model;
  Precision precision = Precision::kFloat32;
  ConvolutionRule convolution = ConvolutionRule::kAuto;
  KernelsFile kernels;
  InnerOptimizerFactory inner_optimizer;
  OuterOptimizerFactory make_outer_optimizer;
  BatchNormAtSync batch_norm_at_sync;
  int micro_batch = 1;
  LocalSgd method;
  std::vector<ShadowController> shadow_controllers;
  std::int64_t evaluate_every_samples = 0;  ///< 0: once per epoch

  std::vector<Declaration> resolved;  ///< every key with the value that was used
};

/// Reads all keys. Throws an InputError that says where for anything unknown, missing, of the wrong
/// type or out of range, and for a precision or an algorithm of convolutions that the model or this
/// CPU has no use for.
Experiment read_experiment(Options options, bool cpu_has_bfloat16 = supports_bfloat16());

/// How the network of an experiment is executed with micro-batches of at most so many samples.
ExecutionOptions execution_options(const Experiment& experiment, int max_samples);

/// One implementation of an exchangeable part, or what a part has in common.
struct PartDescription {
  /// Key in the experiment file, "batch_size_controller"; "dataset.partition" for a choice within a
  /// part, whose keys stand beside it in that part; empty: the top level.
  std::string part;
  std::string name;    ///< the implementation; empty for what all of them share
  std::string choice;  ///< the key that selects it: "name", or the last word of `part`
  std::string summary;
  std::string formula;  ///< as PartRow has it, and so is `source`
  std::string source;
  std::vector<Declaration> keys;
};

/// Every part with every key, in the order of an experiment file. A choice within a part follows
/// the part.
std::vector<PartDescription> describe_parts();

}  // namespace localbatch
