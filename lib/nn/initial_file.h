#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace localbatch {

class Model;

/// A file of parameters that training starts from (core/safetensors.h), as `model.initial` names
/// it.
struct InitialFile {
  std::filesystem::path path;
  std::string hash;  ///< of the content, 16 hexadecimal digits
};

/// Looks at the bytes alone. Throws an InputError when the file cannot be read.
InitialFile find_initial_file(const std::filesystem::path& path);

/// The values of a model in canonical order.
struct ModelValues {
  std::vector<float> parameters, running_moments;
};

/// Reads the tensors of a model by their names. Throws an InputError that names the tensor for one
/// that the file lacks or has too many, for another shape, and for numbers that are not finite.
/// Counters that PyTorch keeps beside batch norm (`num_batches_tracked`) may be there.
ModelValues read_initial_values(const InitialFile& file, const Model& model);

}  // namespace localbatch
