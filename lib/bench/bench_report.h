#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/machine_peak.h"
#include "bench/measure_convolutions.h"
#include "bench/measure_data.h"
#include "bench/measure_synchronization.h"
#include "bench/measure_training.h"

namespace localbatch {

/// All measurements of one call of `bench`, and where they were made.
struct BenchReport {
  std::string version, commit;
  std::string started;  ///< UTC
  std::string host, cpu;
  int cores = 1;        ///< that this process may use
  int threads = 1;      ///< that it was measured with
  std::string kernels;  ///< file of recorded kernels, empty: the rule
  MachinePeaks peaks;   ///< of these threads
  std::optional<double>
      foreign_load;  ///< the largest, the time before the first measurement included
  std::vector<TrainingSpeed> train;
  std::vector<ConvolutionSpeed> conv;
  std::vector<SynchronizationSpeed> sync;
  std::optional<DataSpeed> data;
};

/// One JSON object. A number that was not measured is null; units are in the names.
std::string to_json(const BenchReport& report);

}  // namespace localbatch
