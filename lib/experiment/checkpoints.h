#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "core/mapped_file.h"

namespace localbatch {

/// What a checkpoint belongs to.
struct CheckpointFacts {
  std::int64_t round = 0;  ///< completed
  std::string made_by;     ///< version, libraries, instruction set: what bytes depend on
  std::uint64_t data = 0;  ///< checksum of the data
};

/// A checkpoint that is whole.
struct Checkpoint {
  std::filesystem::path path;
  CheckpointFacts facts;
  std::span<const std::byte> common;                ///< state that all workers share
  std::vector<std::span<const std::byte>> workers;  ///< of each worker
  MappedFile file;
};

/// The newest checkpoint of a run's folder, none if there is none. Throws an InputError when it is
/// damaged, which offers the one before; it has to be removed by a person.
std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& folder, int num_workers);

/// Writes a checkpoint bit by bit: it counts from finish() on, and until then the one before is the
/// newest.
class CheckpointWriter {
 public:
  /// Throws a SystemError when so many bytes do not fit the file system.
  CheckpointWriter(const std::filesystem::path& folder, const CheckpointFacts& facts,
                   std::size_t state_size);

  void section(std::span<const std::byte> bytes);
  /// The two newest checkpoints stay, older ones go.
  void finish();

 private:
  std::filesystem::path folder_;
  std::optional<AtomicFile> file_;
  std::size_t sections_ = 0;
};

/// When a run has finished, or is to begin anew. The newest goes last.
void remove_checkpoints(const std::filesystem::path& folder);

}  // namespace localbatch
