#include "run/run_folder.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/yaml.h"
#include "run/run_experiment.h"
#include "run/run_files.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

/// "batch_size_controller.eta=0.9" as a piece of a folder's name: "eta=0.9".
std::string readable(const std::string& setting) {
  const std::size_t equals = setting.find('=');
  const std::size_t dot = setting.rfind('.', equals);
  std::string name = dot == std::string::npos ? setting : setting.substr(dot + 1);
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '=' && c != '.' && c != '_')
      c = '_';
  return name;
}

constexpr std::string_view kLock = "lock";
constexpr std::string_view kSettings = "experiment.yaml";
constexpr std::string_view kSummary = "summary.json";
constexpr std::string_view kFailure = "failure.txt";

/// The order in which files are removed: first the summary, as incomplete results must not count,
/// and last the settings, whose presence marks the folder as a run.
int place_in_removal(const fs::path& path) {
  if (path.filename() == kSummary) return 0;
  return path.filename() == kSettings ? 2 : 1;
}

void flatten(const Node& node, const std::string& place,
             std::vector<std::pair<std::string, std::string>>& found) {
  if (node.kind == Node::Kind::kScalar) found.emplace_back(place, node.scalar);
  for (std::size_t i = 0; i < node.items.size(); ++i)
    flatten(node.items[i], fmt::format("{}[{}]", place, i), found);
  for (const Node::Entry& entry : node.entries)
    flatten(entry.value, place.empty() ? entry.key : place + "." + entry.key, found);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> values_by_place(const std::string& resolved) {
  std::vector<std::pair<std::string, std::string>> values;
  flatten(parse_yaml(resolved, std::string(kSettings)), "", values);
  return values;
}

std::string what_decides_results(std::string resolved) {
  constexpr std::string_view kKey = "\nthreads_per_worker: ";
  const std::size_t key = resolved.find(kKey);
  if (key == std::string::npos) return resolved;
  const std::size_t value = key + kKey.size();
  return resolved.replace(value, resolved.find('\n', value) - value, "1");
}

std::uint64_t checksum_of_settings(const std::string& resolved) {
  return checksum(what_decides_results(resolved));
}

std::string first_difference(const std::string& there, const std::string& here) {
  const auto theirs = values_by_place(there), ours = values_by_place(here);
  const std::map<std::string, std::string> their_values(theirs.begin(), theirs.end());
  const std::map<std::string, std::string> our_values(ours.begin(), ours.end());
  for (const auto& [key, value] : ours) {
    const auto other = their_values.find(key);
    if (other == their_values.end()) return fmt::format("{} is {} here and not there", key, value);
    if (other->second != value)
      return fmt::format("{} is {} there and {} here", key, other->second, value);
  }
  for (const auto& [key, value] : theirs)
    if (!our_values.contains(key)) return fmt::format("{} is {} there and not here", key, value);
  return "they are written in another way";
}

std::string run_name(const std::string& cell_name, const std::vector<std::string>& settings) {
  constexpr std::size_t kLongest = 100;
  std::vector<std::string> pieces;
  if (!cell_name.empty()) pieces.push_back(cell_name);
  for (const std::string& setting : settings) pieces.push_back(readable(setting));
  std::string name;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::string longer = fmt::format("{}{}{}", name, name.empty() ? "" : "-", pieces[i]);
    if (longer.size() > kLongest)
      return name.empty() ? "run" : fmt::format("{}-and_{}_more", name, pieces.size() - i);
    name = longer;
  }
  return name.empty() ? "run" : name;
}

fs::path run_folder(const fs::path& output, const std::string& experiment, const std::string& name,
                    const std::string& resolved) {
  const auto digits = static_cast<std::uint32_t>(checksum_of_settings(resolved) >> 32);
  const std::string ending = fmt::format("-{:08x}", digits);
  const fs::path folder = output / experiment / (name + ending);
  if (is_there(folder)) return folder;
  std::vector<fs::path> others = paths_in(folder.parent_path());
  std::erase_if(others, [&ending](const fs::path& path) {
    return !path.filename().string().ends_with(ending);
  });
  if (others.size() > 1)
    fail_input("{}: is not there, but {} and {} are of this run by their names, expected one",
               folder.string(), others[0].filename().string(), others[1].filename().string());
  return others.empty() ? folder : others.front();
}

void record_failure(const fs::path& folder, const std::string& why) {
  std::error_code error;
  fs::create_directories(folder, error);
  try {
    write_file_atomically(folder / kFailure, why + '\n');
  } catch (const SystemError&) {
    return;
  }
}

std::optional<std::string> recorded_failure(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder / kFailure, error)) return {};
  std::string why = read_text(folder / kFailure);
  while (why.ends_with('\n')) why.pop_back();
  return why;
}

void forget_failure(const fs::path& folder) {
  std::error_code error;
  fs::remove(folder / kFailure, error);
  if (error) fail_input("{}: cannot be removed: {}", (folder / kFailure).string(), error.message());
}

bool has_ended_or_can_go_on(const fs::path& folder) {
  return is_there(folder / kSummary) || has_checkpoint(folder);
}

RunStatus status_of_folder(const fs::path& folder, const std::string& resolved) {
  std::error_code error;
  const bool exists = fs::exists(folder, error);
  if (error) fail_input("{}: cannot be looked at: {}", folder.string(), error.message());
  if (!exists) return RunStatus::kMissing;
  if (!fs::is_directory(folder, error))
    fail_input("{}: cannot be made: a file has this name", folder.string());
  const fs::path settings = folder / kSettings;
  if (!fs::exists(settings, error)) {
    for (const fs::path& path : paths_in(folder))
      if (path.filename() != kLock && path.filename() != kFailure &&
          !path.string().ends_with(kUnfinishedSuffix))
        fail_input(
            "{}: holds other files already; --force replaces them, --output writes elsewhere",
            folder.string());
    return RunStatus::kMissing;
  }
  const std::string there = what_decides_results(read_text(settings));
  const std::string here = what_decides_results(resolved);
  if (there != here)
    fail_input(
        "{}: belongs to a run with other settings: {}; --force replaces it, --output writes "
        "elsewhere",
        folder.string(), first_difference(there, here));
  return is_there(folder / kSummary) ? read_outcome(folder) : RunStatus::kUnfinished;
}

namespace {

std::string in_use(const fs::path& folder) {
  return folder.string() + ": another process is writing there";
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail_input("{}: cannot be made: {}", folder.string(), error.message());
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    fail_input("{}: cannot be written", folder.string());
  const fs::path path = folder / kLock;
  descriptor_ = open_regular_file(path, O_WRONLY | O_CREAT);
  if (descriptor_ < 0) fail_input("{}: cannot be written: {}", path.string(), std::strerror(errno));
  // Some network file systems do not support flock; go on unlocked. Somebody who only looks holds
  // it for a moment.
  for (int attempt = 0; attempt < 5; ++attempt) {
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
    ::usleep(20'000);
  }
  ::close(descriptor_);
  throw FolderInUse(in_use(folder));
}

FolderLock::~FolderLock() { ::close(descriptor_); }

std::optional<bool> is_in_use(const fs::path& folder) {
  const int descriptor =
      ::open((folder / kLock).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);  // a FIFO does not block
  if (descriptor < 0) return errno == ENOENT ? std::optional(false) : std::nullopt;
  const bool is_free = ::flock(descriptor, LOCK_SH | LOCK_NB) == 0;
  const int error = errno;
  ::close(descriptor);
  if (is_free) return false;
  return error == EWOULDBLOCK ? std::optional(true) : std::nullopt;
}

void remove_unfinished_files(const fs::path& folder) {
  std::error_code ignored;  // leftovers do no harm
  for (const fs::path& path : paths_in(folder))
    if (path.string().ends_with(kUnfinishedSuffix)) fs::remove(path, ignored);
}

void empty_folder(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> paths = paths_in(folder);
  std::erase_if(paths, [](const fs::path& path) { return path.filename() == kLock; });
  std::ranges::stable_sort(paths, {}, place_in_removal);
  for (const fs::path& path : paths) {
    if (error) break;
    fs::remove_all(path, error);
  }
  if (error) fail_input("{}: cannot be replaced: {}", folder.string(), error.message());
}

namespace {

/// Throws an InputError for a folder that a run cannot begin or go on in.
RunStatus status_for(const RunRequest& request, const fs::path& folder,
                     const std::string& settings) {
  if (!request.resumed_folder.empty() && !is_there(folder / kSettings))
    fail_input("{}: holds no unfinished run", folder.string());
  return status_of_folder(folder, settings);
}

void refuse_to_replace(const fs::path& folder, RunStatus status) {
  if (has_ended(status))
    fail_input("{}: holds results already; --force replaces them, --output writes elsewhere",
               folder.string());
}

/// Why the curves of a run that goes on from the checkpoint may be others; empty where they are
/// not. Throws an InputError when it cannot go on.
std::string doubt_about(const Checkpoint& checkpoint, const CheckpointFacts& facts) {
  const std::string path = checkpoint.path.string();
  const CheckpointFacts& theirs = checkpoint.facts;
  if (theirs.data != facts.data)
    fail_input("{}: the data are not those that the run began with; --force begins anew", path);
  if (theirs.settings != facts.settings && facts.settings != 0)
    fail_input("{}: the settings are not those that the run began with; --force begins anew", path);
  if (theirs.made_by == facts.made_by) return {};
  return fmt::format(
      "{} was made by {}, and this is {}: the curves may not be those of a run that "
      "was not interrupted",
      path, theirs.made_by, facts.made_by);
}

/// Where the run of a folder stands, and what it would go on from.
struct Standing {
  RunStatus status = RunStatus::kMissing;
  bool has_finished = false;  ///< and the request says that this is no mistake
  std::optional<Checkpoint> checkpoint = {};
  std::string doubt = {};
};

/// Throws an InputError for what the request does not fit.
Standing standing_of(const RunRequest& request, const fs::path& folder, const std::string& settings,
                     int workers, const CheckpointFacts& facts) {
  if (request.force) return {};
  Standing standing{.status = status_for(request, folder, settings)};
  standing.has_finished = has_ended(standing.status) && request.resume;
  if (standing.has_finished) return standing;
  refuse_to_replace(folder, standing.status);
  if (standing.status != RunStatus::kUnfinished) return standing;
  standing.checkpoint = newest_checkpoint(folder, workers);
  if (standing.checkpoint) standing.doubt = doubt_about(*standing.checkpoint, facts);
  return standing;
}

/// A run that begins anew writes over all that it wrote before but these. What else is there is not
/// its own: branches, or what somebody put there.
void remove_earlier_starts(const fs::path& folder) {
  remove_unfinished_files(folder);
  std::error_code error;
  for (const fs::path& path : paths_in(folder))
    if (!error && is_manifest_of_resumption(path)) fs::remove(path, error);
  if (error) fail_input("{}: cannot be replaced: {}", folder.string(), error.message());
}

/// The run that has ended there may have been killed before it did this. Another process may do it
/// now, or the folder be read-only: what is left over does no harm.
void clean_up(const fs::path& folder) {
  try {
    const FolderLock lock(folder);
    remove_checkpoints(folder);
    remove_unfinished_files(folder);
  } catch (const InputError&) {
    return;
  }
}

}  // namespace

Diagnoses check_folder(const RunRequest& request, const fs::path& folder,
                       const std::string& settings, int workers, const CheckpointFacts& facts) {
  try {
    const Standing standing = standing_of(request, folder, settings, workers, facts);
    if (!standing.has_finished && is_in_use(folder).value_or(false))
      return {{.severity = Severity::kRefusal, .text = in_use(folder)}};
    if (!standing.doubt.empty()) return {{.severity = Severity::kWarning, .text = standing.doubt}};
    if (!standing.checkpoint) return {};
    return {
        {.text = fmt::format("the run goes on after round {}", standing.checkpoint->facts.round)}};
  } catch (const InputError& error) {
    return {{.severity = Severity::kRefusal, .text = error.what()}};
  }
}

Claim claim_folder(const RunRequest& request, const fs::path& folder, const std::string& settings,
                   int workers, const CheckpointFacts& facts, const RunEvents& events) {
  const RunStatus before =
      request.force ? RunStatus::kMissing : status_for(request, folder, settings);
  if (has_ended(before) && request.resume) {
    clean_up(folder);
    return {.has_finished = true};
  }
  refuse_to_replace(folder, before);
  Claim claim{.lock = std::make_shared<FolderLock>(folder)};
  Standing standing = standing_of(request, folder, settings, workers, facts);
  if (standing.status != before)
    throw FolderInUse(folder.string() + ": another process has just written there");
  if (!standing.doubt.empty()) events.on_warning(standing.doubt);
  forget_failure(folder);
  claim.checkpoint = std::move(standing.checkpoint);
  if (claim.checkpoint) {
    remove_unfinished_files(folder);
  } else {
    remove_checkpoints(folder);  // first: without the curves they are of no use
    if (request.force)
      empty_folder(folder);
    else
      remove_earlier_starts(folder);
  }
  return claim;
}

}  // namespace localbatch
