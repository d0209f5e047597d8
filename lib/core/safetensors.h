#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace localbatch {

// Files of named arrays, as PyTorch and others exchange them (huggingface.co/docs/safetensors): the
// length of a header as 8 little-endian bytes; the header, JSON with type, shape and place of each
// tensor; then the numbers of all tensors without gaps, row by row, little-endian.

/// A tensor of f32 that is to be written.
struct FloatTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::span<const float> values;  ///< as many as the shape says
};

/// The file is whole or not there. Throws a SystemError.
void write_safetensors(const std::filesystem::path& path, std::span<const FloatTensor> tensors);

/// A tensor in the bytes of a file.
struct StoredTensor {
  std::string name;
  std::string type;  ///< "F32"
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  ///< as many as type and shape say

  std::size_t size() const;  ///< product of the shape
};

/// All tensors of a file, in the order of their places. `source` stands for the file in messages,
/// and the bytes must outlive what is returned. Throws an InputError for a header that is damaged,
/// unknown types, sizes that are not those of types and shapes, and numbers that belong to no
/// tensor or to several.
std::vector<StoredTensor> parse_safetensors(std::span<const std::byte> bytes,
                                            const std::string& source);

/// The values of a tensor of F32, F16 or BF16, which f32 all holds exactly. Throws an InputError
/// for other types.
std::vector<float> floats_of(const StoredTensor& tensor, const std::string& source);

}  // namespace localbatch
