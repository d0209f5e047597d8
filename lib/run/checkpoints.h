#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/files.h"

namespace localbatch {

/// When a run is saved without a request.
struct CheckpointSchedule {
  double every_seconds = 600;     ///< 0: not by time
  std::int64_t every_rounds = 0;  ///< 0: not by rounds
};

// A checkpoint file: a line that names the format, then sections, each as size (8 bytes), XXH3 of
// the size and the bytes (8 bytes), bytes; then a section of size 2^64 - 1 that holds the number of
// the others.

void begin_checkpoint(OutputFile& file);
void write_section(OutputFile& file, std::span<const std::byte> bytes);
void finish_checkpoint(OutputFile& file, std::size_t num_sections);

/// The size of a checkpoint file with sections of these sizes.
std::size_t checkpoint_size(std::span<const std::size_t> section_sizes);

/// The sections of a file. Throws an InputError that says what is wrong, and where, when a single
/// bit is not as it was written.
std::vector<std::span<const std::byte>> checkpoint_sections(std::span<const std::byte> file);

/// The run and the program that a checkpoint belongs to.
struct CheckpointFacts {
  std::int64_t round = 0;  ///< completed
  std::string made_by;     ///< version, libraries and instruction set, on which bytes depend
  std::uint64_t data = 0;  ///< checksum of the data
  /// checksum_of_settings(); 0 of a branch, which goes on from a checkpoint of its run.
  std::uint64_t settings = 0;
};

/// Bytes of the file of a checkpoint with these facts, and with states of these sizes.
std::size_t checkpoint_file_size(const CheckpointFacts& facts, std::size_t common_state,
                                 std::size_t own_state, int num_workers);

/// A checkpoint that is complete.
struct Checkpoint {
  std::filesystem::path path;
  CheckpointFacts facts;
  std::span<const std::byte> common;                ///< state that all workers share
  std::vector<std::span<const std::byte>> workers;  ///< of each worker
  MappedFile file;
};

/// The newest checkpoint in the folder of a run, if there is one. Throws an InputError when it is
/// damaged, which offers the one before; it has to be removed by a person.
std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& folder, int num_workers);

/// Whether there is one, be it damaged.
bool has_checkpoint(const std::filesystem::path& folder);

/// Writes a checkpoint section by section. It counts from finish() on; until then the previous one
/// is the newest.
class CheckpointWriter {
 public:
  /// Throws a SystemError when so many bytes do not fit the file system.
  CheckpointWriter(const std::filesystem::path& folder, const CheckpointFacts& facts,
                   std::size_t file_size);

  void section(std::span<const std::byte> bytes);
  /// The two newest checkpoints stay, older ones go.
  void finish();

 private:
  std::filesystem::path folder_;
  std::optional<AtomicFile> file_;
  std::size_t sections_ = 0;
};

/// Keeps a copy of the checkpoint that was written after this round, under the name of so many
/// samples; neither later checkpoints nor the end of the run remove it. Throws a SystemError.
void keep_checkpoint(const std::filesystem::path& folder, std::int64_t round, std::int64_t samples);

/// Whether a checkpoint is kept under this name, be it damaged.
bool is_kept(const std::filesystem::path& folder, std::int64_t samples);

/// The facts of the checkpoint that was kept there. Throws an InputError where nothing was kept
/// under this name, or it is damaged.
CheckpointFacts kept_checkpoint(const std::filesystem::path& run, std::int64_t samples,
                                int num_workers);

/// Puts it into another folder, as the checkpoint that a run goes on from. Throws likewise.
void copy_kept_checkpoint(const std::filesystem::path& run, std::int64_t samples, int num_workers,
                          const std::filesystem::path& to);

/// Removes the checkpoints of a run that has finished, or is to begin anew, the newest one last.
void remove_checkpoints(const std::filesystem::path& folder);

}  // namespace localbatch
