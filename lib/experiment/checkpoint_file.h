#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/output_file.h"

namespace localbatch {

// A checkpoint file: a line that names the format, then sections, each as size (8 bytes), XXH3 of
// the size and the bytes (8 bytes), bytes; then a section of size 2^64 - 1 that holds the number of
// the others.

void begin_checkpoint(OutputFile& file);
void write_section(OutputFile& file, std::span<const std::byte> bytes);
void finish_checkpoint(OutputFile& file, std::size_t num_sections);

/// What begin_checkpoint and its like write for sections of these sizes.
std::size_t checkpoint_size(std::span<const std::size_t> section_sizes);

/// The sections of a file. Throws an InputError that says what is wrong, and where, when a single
/// bit is not as it was written.
std::vector<std::span<const std::byte>> checkpoint_sections(std::span<const std::byte> file);

}  // namespace localbatch
