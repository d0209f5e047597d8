#include "experiment/checkpoint_file.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "core/checksum.h"
#include "core/error.h"

namespace localbatch {

namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

constexpr std::string_view kFormat = "localbatch checkpoint 1\n";
constexpr std::uint64_t kEnd = std::numeric_limits<std::uint64_t>::max();

/// Of size and bytes: a section must not pass for one of another size.
std::uint64_t section_checksum(std::uint64_t size, std::span<const std::byte> bytes) {
  return checksum(bytes) ^ checksum(std::as_bytes(std::span(&size, 1)));
}

void write_numbers(OutputFile& file, std::uint64_t first, std::uint64_t second) {
  const std::array<std::uint64_t, 2> numbers{first, second};
  file.write(std::as_bytes(std::span(numbers)));
}

constexpr std::size_t kHeader = 2 * sizeof(std::uint64_t);

std::array<std::uint64_t, 2> read_numbers(std::span<const std::byte> bytes) {
  std::array<std::uint64_t, 2> numbers;
  std::memcpy(numbers.data(), bytes.data(), kHeader);
  return numbers;
}

}  // namespace

void begin_checkpoint(OutputFile& file) { file.write(kFormat); }

void write_section(OutputFile& file, std::span<const std::byte> bytes) {
  write_numbers(file, bytes.size(), section_checksum(bytes.size(), bytes));
  file.write(bytes);
}

void finish_checkpoint(OutputFile& file, std::size_t num_sections) {
  write_numbers(file, kEnd, num_sections);
}

std::size_t checkpoint_size(std::span<const std::size_t> section_sizes) {
  std::size_t size = kFormat.size() + kHeader;
  for (const std::size_t section : section_sizes) size += kHeader + section;
  return size;
}

std::vector<std::span<const std::byte>> checkpoint_sections(std::span<const std::byte> file) {
  std::vector<std::span<const std::byte>> sections;
  const std::size_t whole = file.size();
  if (whole < kFormat.size() || std::memcmp(file.data(), kFormat.data(), kFormat.size()) != 0)
    fail_input("found no checkpoint of this version: it does not begin with '{}'",
               kFormat.substr(0, kFormat.size() - 1));
  file = file.subspan(kFormat.size());
  while (true) {
    if (file.size() < kHeader) fail_input("it ends too early, after {} bytes", whole);
    const auto [size, second] = read_numbers(file);
    const std::size_t at = whole - file.size();
    file = file.subspan(kHeader);
    if (size == kEnd) {
      if (second != sections.size() || !file.empty())
        fail_input("found another end than the one that was written, at byte {}", at);
      return sections;
    }
    if (size > file.size()) fail_input("it ends too early, after {} bytes", whole);
    const auto bytes = file.first(size);
    if (section_checksum(size, bytes) != second)
      fail_input("found another checksum than the one that was written, in bytes {} to {}", at,
                 at + kHeader + size - 1);
    sections.push_back(bytes);
    file = file.subspan(size);
  }
}

}  // namespace localbatch
