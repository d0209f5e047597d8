#include "nn/initial_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <span>

#include "core/error.h"
#include "core/files.h"
#include "core/safetensors.h"
#include "core/text.h"
#include "core/vector_math.h"
#include "nn/model.h"

namespace localbatch {

InitialFile find_initial_file(const std::filesystem::path& path) {
  return {.path = path, .hash = fmt::format("{:016x}", checksum(MappedFile(path).bytes()))};
}

namespace {

/// The tensors of a file, each of which is asked for once.
class Stored {
 public:
  Stored(std::vector<StoredTensor> tensors, std::string source)
      : tensors_(std::move(tensors)), source_(std::move(source)) {
    std::erase_if(tensors_, [](const StoredTensor& tensor) {
      return tensor.name.ends_with("num_batches_tracked");
    });
  }

  std::vector<float> take(const TensorView& tensor) {
    const auto found = std::ranges::find(tensors_, tensor.name, &StoredTensor::name);
    if (found == tensors_.end())
      fail_input("{}: found no tensor '{}', which the model has{}", source_, tensor.name,
                 did_you_mean(tensor.name, names()));
    const std::vector<std::int64_t> shape(tensor.dims.begin(), tensor.dims.end());
    if (found->shape != shape)
      fail_input("{}: {}: found the shape [{}], expected [{}]", source_, tensor.name,
                 join(found->shape, ", "), join(shape, ", "));
    std::vector<float> values = floats_of(*found, source_);
    if (!all_finite(values))
      fail_input("{}: {}: found an infinity or NaN, expected numbers", source_, tensor.name);
    tensors_.erase(found);
    return values;
  }

  void check_nothing_is_left() const {
    if (tensors_.empty()) return;
    fail_input("{}: found the tensor '{}', which the model does not have", source_,
               printable(tensors_.front().name));
  }

 private:
  /// As they may be shown.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    names.reserve(tensors_.size());
    for (const StoredTensor& tensor : tensors_) names.push_back(printable(tensor.name));
    return names;
  }

  std::vector<StoredTensor> tensors_;
  std::string source_;
};

std::vector<float> take_all(std::span<const TensorView> tensors, Stored& stored) {
  std::vector<float> values(total_size(tensors));
  for (const TensorView& tensor : tensors) {
    const std::vector<float> of_tensor = stored.take(tensor);
    std::ranges::copy(of_tensor, values.begin() + static_cast<std::ptrdiff_t>(tensor.offset));
  }
  return values;
}

}  // namespace

ModelValues read_initial_values(const InitialFile& file, const Model& model) {
  const MappedFile bytes(file.path);
  const std::string source = file.path.string();
  Stored stored(parse_safetensors(bytes.bytes(), source), source);
  ModelValues values;
  values.parameters = take_all(model.parameter_tensors(), stored);
  values.running_moments = take_all(model.running_moment_tensors(), stored);
  stored.check_nothing_is_left();
  return values;
}

}  // namespace localbatch
