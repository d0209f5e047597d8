#pragma once

#include <filesystem>
#include <string>

#include "nn/execution.h"

namespace localbatch {

class Model;

/// A file of choices of kernels, as `localbatch bench --tune` writes it and `kernels:` in an
/// experiment names it: a list of convolutions under the key `convolutions`.
struct KernelsFile {
  std::filesystem::path path;  ///< empty: no file, the rule decides
  std::string text;
  KernelChoices choices;

  std::string hash() const;  ///< hash of the text, 16 hexadecimal digits
};

/// Throws an InputError with file, line and column for an impossible choice.
KernelsFile read_kernels_file(const std::filesystem::path& path);
KernelChoices parse_kernels(const std::string& text, const std::string& source);

/// Throws an InputError when the model has none of the file's convolutions: then the file is one
/// for another model or other images.
void check_kernels_are_used(const KernelsFile& file, const Model& model);

}  // namespace localbatch
