#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "report/result_table.h"
#include "report/table_text.h"

namespace localbatch {

/// A published or earlier figure, in the unit of table.csv. Empty fields are not known.
struct ReferenceFigure {
  std::string schedule, group, source;
  std::string column;
  Sample sample;  ///< n is 0 when it is not known
  /// The training that the figure is about: samples, workers, dataset, model, and for texts
  /// sequence_length and vocabulary.
  std::vector<std::string> protocol;
};

/// Reads `schedule,H,column,mean,standard_deviation,n,source,samples,workers,dataset,model,
/// sequence_length,vocabulary`; the columns may stand in any order, and those from
/// `standard_deviation` on may be absent. Throws an InputError with file and line.
std::vector<ReferenceFigure> read_reference_figures(const std::filesystem::path& path,
                                                    const Results& results);

/// A figure beside ours.
struct Comparison {
  ReferenceFigure theirs;
  std::optional<Sample> ours;
  std::optional<double> difference;  ///< ours - theirs
  /// `inside` or `outside` the noise of the seeds, `too few seeds`, `no figure of ours`, or `other
  /// protocol (samples 500000, theirs 7500000)`; with what is not known of the protocol.
  std::string verdict;
};

/// `results` and the figures' names of rows and groups are the same.
std::vector<Comparison> compare(const Results& results,
                                const std::vector<ReferenceFigure>& figures);

TextTable text_of(const std::vector<Comparison>& comparisons);

/// The comparisons as a CSV file.
std::string to_csv(const std::vector<Comparison>& comparisons);

}  // namespace localbatch
