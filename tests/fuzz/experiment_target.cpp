#include <string>

#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "fuzz/fuzz_target.h"

using namespace localbatch;

namespace {

/// The resolved settings of an experiment file, on a CPU that can do everything.
std::string resolve(const std::string& text) {
  const Node file = parse_yaml(text, "fuzz.yaml");
  return resolved_yaml(read_experiment(Options(file), /*cpu_has_bfloat16=*/true).resolved);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string text(bytes, bytes + size);
  std::string resolved;
  read_or_refuse([&] { resolved = resolve(text); });
  // What was accepted is accepted again, so that nothing is caught here.
  if (!resolved.empty())
    check(resolve(resolved) == resolved, "what was read, read again, is the same");
  return 0;
}
