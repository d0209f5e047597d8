#include "experiment/checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/state.h"
#include "experiment/checkpoint_file.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "checkpoint-";

fs::path checkpoint_path(const fs::path& folder, std::int64_t round) {
  return folder / fmt::format("{}{:09}", kPrefix, round);
}

/// Oldest first; files that were never finished are none.
std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix) && !name.ends_with(kUnfinishedSuffix))
      found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

void visit_state(StateVisitor& visitor, CheckpointFacts& facts) {
  visitor.visit("facts.round", facts.round);
  visitor.visit("facts.data", facts.data);
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

CheckpointWriter::CheckpointWriter(const fs::path& folder, const CheckpointFacts& facts,
                                   std::size_t state_size)
    : folder_(folder) {
  const std::uint64_t space = free_space(folder);
  if (state_size > space)
    fail_system("{}: no space for the next checkpoint: it needs {} bytes, {} are free",
                folder.string(), state_size, space);
  file_.emplace(checkpoint_path(folder, facts.round));
  begin_checkpoint(file_->output());
  StateWriter writer;
  CheckpointFacts written = facts;
  visit_state(writer, written);
  section(writer.take());
}

void CheckpointWriter::section(std::span<const std::byte> bytes) {
  write_section(file_->output(), bytes);
  sections_ += 1;
}

void CheckpointWriter::finish() {
  finish_checkpoint(file_->output(), sections_);
  file_->finish();
  const std::vector<fs::path> all = checkpoints_in(folder_);
  for (std::size_t i = 0; i + 2 < all.size(); ++i) fs::remove(all[i]);
}

void remove_checkpoints(const fs::path& folder) {
  for (const fs::path& path : checkpoints_in(folder)) fs::remove(path);
}

}  // namespace localbatch
