#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace localbatch {

/// Where the tokens of a file lie: from byte `begin` to its end.
struct TokenLayout {
  std::size_t begin = 0;
  int bytes_per_token = 0;

  friend bool operator==(const TokenLayout&, const TokenLayout&) = default;
};

// Readers of headers. Each looks at the size of everything that a header counts, and throws an
// InputError that names the file, what was found and what was expected. Numbers are little-endian.

/// Whether a file begins with the magic number of a shard of llm.c.
bool is_llm_c(std::span<const std::byte> file);

/// A shard of llm.c (github.com/karpathy/llm.c, dev/data/data_common.py): a header of 256 int32, of
/// which the first three are the magic number, the version and the number of tokens, then the
/// tokens. Magic number 20240520 goes with version 1 and tokens of 16 bits, 20240801 with version 7
/// and tokens of 32 bits.
TokenLayout llm_c_layout(std::span<const std::byte> file, const std::filesystem::path& path);

/// Bare tokens of 16 bits, as nanoGPT (github.com/karpathy/nanoGPT, data/*/prepare.py) and llama2.c
/// (github.com/karpathy/llama2.c, tinystories.py) write them: all that can be checked is an even
/// size.
TokenLayout raw_u16_layout(std::span<const std::byte> file, const std::filesystem::path& path);

/// The `.bin` file of `size` bytes that an index of Megatron-LM (github.com/NVIDIA/Megatron-LM,
/// megatron/core/datasets/indexed_dataset.py) describes: "MMIDIDX\0\0", u64 version 1, u8 type of a
/// token (1 u8, 4 i32, 8 u16 are read), u64 number of sequences, u64 number of entries for
/// documents; then of each sequence its length as i32, of each its first byte in the .bin file as
/// i64, and of each document its first sequence as i64. Sequences must lie one behind the other.
TokenLayout megatron_layout(std::span<const std::byte> index, const std::filesystem::path& path,
                            std::uint64_t size, const std::filesystem::path& bin);

}  // namespace localbatch
