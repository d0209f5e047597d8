#include "run/checkpoints.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/state.h"

namespace localbatch {

namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

constexpr std::string_view kFormat = "localbatch checkpoint 1\n";
constexpr std::uint64_t kEnd = std::numeric_limits<std::uint64_t>::max();

/// The checksum of size and bytes, so that a section cannot pass for one of another size.
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

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "checkpoint-";

std::string checkpoint_name(std::int64_t round) { return fmt::format("{}{:09}", kPrefix, round); }

/// Whether it is one of these names, not only like them: what counts as a checkpoint may be
/// removed.
bool is_checkpoint_name(std::string_view name) {
  if (!name.starts_with(kPrefix)) return false;
  std::int64_t round = 0;
  const std::string_view digits = name.substr(kPrefix.size());
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), round);
  return error == std::errc() && round > 0 && name == checkpoint_name(round);
}

/// The checkpoints of a folder, oldest first.
std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  std::vector<fs::path> found = paths_in(folder);
  std::erase_if(found,
                [](const fs::path& path) { return !is_checkpoint_name(path.filename().string()); });
  return found;
}

void visit_state(StateVisitor& visitor, CheckpointFacts& facts) {
  visitor.visit("facts.round", facts.round);
  visitor.visit("facts.data", facts.data);
  visitor.visit("facts.settings", facts.settings);
  std::uint64_t size = facts.made_by.size();
  visitor.visit("facts.made_by.size", size);
  constexpr std::uint64_t kLongest = 4096;
  if (size > kLongest) fail_input("found the state of another version");
  facts.made_by.resize(size);
  visitor.visit("facts.made_by", std::span(facts.made_by));
}

Checkpoint open_checkpoint(const fs::path& path, int num_workers) {
  MappedFile file(path);
  const auto sections = checkpoint_sections(file.bytes());
  const auto expected = static_cast<std::size_t>(num_workers) + 2;
  if (sections.size() != expected)
    fail_input("found {} sections, expected {} for {} workers", sections.size(), expected,
               num_workers);
  CheckpointFacts facts;
  StateReader reader(sections[0]);
  visit_state(reader, facts);
  reader.finish();
  return {.path = path,
          .facts = std::move(facts),
          .common = sections[1],
          .workers = {sections.begin() + 2, sections.end()},
          .file = std::move(file)};
}

}  // namespace

std::optional<Checkpoint> newest_checkpoint(const fs::path& folder, int num_workers) {
  const std::vector<fs::path> found = checkpoints_in(folder);
  if (found.empty()) return {};
  try {
    return open_checkpoint(found.back(), num_workers);
  } catch (const InputError& damage) {
    const std::string advice = found.size() > 1 ? fmt::format("remove it to go on from {}",
                                                              found[found.size() - 2].string())
                                                : std::string("remove it to begin anew");
    fail_input("{}: damaged: {}; {}", found.back().string(), damage.what(), advice);
  }
}

std::size_t checkpoint_file_size(const CheckpointFacts& facts, std::size_t common_state,
                                 std::size_t own_state, int num_workers) {
  StateSize size;
  CheckpointFacts visited = facts;
  visit_state(size, visited);
  std::vector<std::size_t> sections(static_cast<std::size_t>(num_workers), own_state);
  sections.push_back(size.bytes());
  sections.push_back(common_state);
  return checkpoint_size(sections);
}

CheckpointWriter::CheckpointWriter(const fs::path& folder, const CheckpointFacts& facts,
                                   std::size_t file_size)
    : folder_(folder) {
  const std::uint64_t space = free_space(folder);
  if (file_size > space)
    fail_system("{}: no space for the next checkpoint: it needs {} bytes, {} are free",
                folder.string(), file_size, space);
  file_.emplace(folder / checkpoint_name(facts.round));
  begin_checkpoint(file_->output());
  StateWriter writer;
  CheckpointFacts written = facts;
  visit_state(writer, written);
  section(writer.take());
}

namespace {

void remove_checkpoint(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) fail_system("{}: cannot be removed: {}", path.string(), error.message());
}

}  // namespace

void CheckpointWriter::section(std::span<const std::byte> bytes) {
  write_section(file_->output(), bytes);
  sections_ += 1;
}

void CheckpointWriter::finish() {
  finish_checkpoint(file_->output(), sections_);
  file_->finish();
  const std::vector<fs::path> all = checkpoints_in(folder_);
  for (std::size_t i = 0; i + 2 < all.size(); ++i) remove_checkpoint(all[i]);
}

namespace {

fs::path kept_path(const fs::path& folder, std::int64_t samples) {
  return folder / "kept" / fmt::format("checkpoint-at-{}", samples);
}

}  // namespace

void keep_checkpoint(const fs::path& folder, std::int64_t round, std::int64_t samples) {
  const fs::path to = kept_path(folder, samples);
  std::error_code error;
  fs::create_directories(to.parent_path(), error);
  if (error) fail_system("{}: cannot be made: {}", to.parent_path().string(), error.message());
  copy_file_atomically(folder / checkpoint_name(round), to);
}

bool is_kept(const fs::path& folder, std::int64_t samples) {
  return is_there(kept_path(folder, samples));
}

bool has_checkpoint(const fs::path& folder) { return !checkpoints_in(folder).empty(); }

CheckpointFacts kept_checkpoint(const fs::path& run, std::int64_t samples, int num_workers) {
  const fs::path kept = kept_path(run, samples);
  if (!is_kept(run, samples))
    fail_input("{}: is not there; 'checkpoint: {{keep_at: [{}]}}' in the experiment keeps it",
               kept.string(), samples);
  try {
    return open_checkpoint(kept, num_workers).facts;
  } catch (const InputError& damage) {
    fail_input("{}: damaged: {}", kept.string(), damage.what());
  }
}

void copy_kept_checkpoint(const fs::path& run, std::int64_t samples, int num_workers,
                          const fs::path& to) {
  const std::int64_t round = kept_checkpoint(run, samples, num_workers).round;
  copy_file_atomically(kept_path(run, samples), to / checkpoint_name(round));
}

void remove_checkpoints(const fs::path& folder) {
  std::ranges::for_each(checkpoints_in(folder), remove_checkpoint);
}

}  // namespace localbatch
