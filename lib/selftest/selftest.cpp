#include "selftest/selftest.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "comm/agreement.h"
#include "comm/process_group.h"
#include "core/error.h"
#include "core/stopwatch.h"
#include "nn/execution.h"
#include "selftest/checks.h"

namespace localbatch {

namespace {

namespace fs = std::filesystem;

/// A folder with a new name, which goes with this object and all that is in it.
class SelfTestFolder {
 public:
  SelfTestFolder() = default;
  explicit SelfTestFolder(const fs::path& below) {
    std::error_code error;
    if (fs::create_directories(below, error)) made_ = below;
    std::string name = (below / "localbatch-selftest-XXXXXX").string();
    if (error || ::mkdtemp(name.data()) == nullptr)
      fail_input("selftest: {}: cannot be written", below.string());
    path_ = name;
  }
  ~SelfTestFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
    if (!made_.empty()) fs::remove(made_, ignored);
  }
  SelfTestFolder(SelfTestFolder&& other) noexcept { *this = std::move(other); }
  SelfTestFolder& operator=(SelfTestFolder&& other) noexcept {
    path_.swap(other.path_);
    made_.swap(other.made_);
    return *this;
  }

  const fs::path& path() const { return path_; }

 private:
  fs::path path_, made_;
};

/// The folder that results go to, which rank 0 makes, and one of this rank.
struct Scratch {
  SelfTestFolder output, own;
};

Scratch make_scratch(const fs::path& output, ProcessGroup& processes) {
  return agree(processes, [&] {
    return Scratch{.output = processes.rank() == 0 ? SelfTestFolder(output) : SelfTestFolder(),
                   .own = SelfTestFolder(fs::temp_directory_path())};
  });
}

struct NamedCheck {
  std::string name;
  std::function<std::string()> run;
};

/// What differs, or why the check could not be done. That another rank hangs is for the caller.
std::string outcome_of(const NamedCheck& check) {
  try {
    return check.run();
  } catch (const Stalled&) {
    throw;
  } catch (const FailedElsewhere&) {
    return {};
  } catch (const std::exception& error) {
    return error.what();
  }
}

std::string first_difference(const std::string& mine, ProcessGroup& processes) {
  const std::vector<std::string> all = gather_texts(mine, processes);
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    if (!all[rank].empty())
      return all.size() == 1 ? all[rank] : fmt::format("rank {}: {}", rank, all[rank]);
  return {};
}

std::vector<NamedCheck> checks_of(const SelfTestRequest& request, const TestFolders& folders,
                                  ProcessGroup& processes) {
  const int ranks = processes.num_ranks();
  std::vector<NamedCheck> checks{
      {"direct convolutions against plain loops", check_direct_convolution},
      {"Winograd convolutions against plain loops", check_winograd_convolution},
      {"ResNet-20: Winograd against direct", check_resnet}};
  if (supports_bfloat16())
    checks.push_back({"bf16 convolutions against plain loops", check_bfloat16});
  checks.push_back({fmt::format("an average over {} rank{} against its definition", ranks,
                                ranks == 1 ? "" : "s"),
                    [&processes] { return check_average(processes); }});
  checks.push_back({ranks == 1 ? "bytes of a run with 1 and 2 threads a worker"
                               : fmt::format("bytes of a run on 1 and {} ranks", ranks),
                    [&] { return check_placement(request, folders, processes); }});
  checks.push_back({"bytes of a run that stops and goes on",
                    [&] { return check_checkpoint(request, folders, processes); }});
  return checks;
}

}  // namespace

bool self_test(const SelfTestRequest& request, ProcessGroup& processes,
               const std::function<void(const SelfCheck&)>& on_check) {
  const Scratch scratch = make_scratch(request.output, processes);
  const TestFolders folders{
      .output = gather_texts(scratch.output.path().string(), processes).front(),
      .own = scratch.own.path()};
  bool passed = true;
  for (const NamedCheck& check : checks_of(request, folders, processes)) {
    const double begin = monotonic_seconds();
    const std::string difference = first_difference(outcome_of(check), processes);
    passed = passed && difference.empty();
    if (processes.rank() == 0)
      on_check(
          {.name = check.name, .difference = difference, .seconds = monotonic_seconds() - begin});
  }
  return passed;
}

}  // namespace localbatch
