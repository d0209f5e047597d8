#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bench/tune_kernels.h"
#include "nn/execution.h"
#include "nn/model.h"

namespace localbatch {

/// A file of choices of kernels, as `localbatch bench --tune` writes it and `kernels:` in an
/// experiment names it: a list of convolutions under the key `convolutions`.
struct KernelsFile {
  std::filesystem::path path;  ///< empty: no file, the rule decides
  std::string text;
  KernelChoices choices;

  std::string hash() const;  ///< of the text, 16 hexadecimal digits
};

/// Throws an InputError with file, line and column for anything that is no possible choice.
KernelsFile read_kernels_file(const std::filesystem::path& path);
KernelChoices parse_kernels(const std::string& text, const std::string& source);

/// Throws an InputError when the model has none of the file's convolutions: then the file is one
/// for another model or other images.
void check_kernels_are_used(const KernelsFile& file, const Model& model);

/// What was tuned, for the comments that let a person judge the choices.
struct TuningRecord {
  std::string networks;  ///< "resnet20, resnet18"
  ExecutionOptions execution;
  std::optional<double> foreign_load;  ///< the largest while it was measured
  std::vector<TunedConvolution> tuned;
};

/// The choices as a file, with where and when they were made and the measured times.
std::string kernels_text(const TuningRecord& record);

}  // namespace localbatch
