#include <sstream>
#include <string>

#include "experiment/experiment.h"
#include "experiment/experiment_file.h"
#include "fuzz/fuzz_target.h"

using namespace localbatch;

/// Each line of the input is one `--set` on top of a small experiment; the last one may be without
/// an end of line.
int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const Node experiment = parse_yaml(
      "max_samples: 9\ndataset: {name: synthetic}\nlearning_rate: {peak: 0.1}", "fuzz.yaml");
  std::istringstream settings(std::string(bytes, bytes + size));
  read_or_refuse([&] {
    Node file = experiment;
    for (std::string setting; std::getline(settings, setting);) apply_setting(file, setting);
    read_experiment(Options(file), /*cpu_has_bfloat16=*/true);
  });
  return 0;
}
