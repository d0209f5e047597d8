#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "plan/traffic.h"

namespace localbatch {

/// What connects hosts. Communication takes its latency times the waits that follow one another,
/// and the bytes of the busiest link divided by its bandwidth; inside a host it takes none.
struct Interconnect {
  double bandwidth = 125e6;  ///< of a host's link in each direction, bytes per second
  double latency = 1e-4;     ///< seconds from host to host for a message

  /// Where the numbers were measured; nothing for numbers that somebody gives.
  struct Source {
    std::string file;
    int hosts = 1;
    std::int64_t bytes = 0;  ///< of the busiest link in the longest average
  };
  std::optional<Source> measured = {};

  double seconds(const ExpectedTraffic& traffic) const {
    return latency * static_cast<double>(traffic.waits) +
           static_cast<double>(traffic.busiest_link()) / bandwidth;
  }
};

/// Reads a rate as tc(8) writes it, "1gbit", "200mbit", or bytes per second without a unit.
/// Messages begin with `option`.
double parse_bandwidth(const std::string& option, const std::string& text);

/// Reads "1gbit", or "1gbit+50ms" for another latency than the default.
Interconnect parse_interconnect(const std::string& option, const std::string& text);

/// Averages of one length over the workers of a job.
struct TimedAverage {
  std::size_t numbers = 0;
  std::int64_t waits = 0, bytes = 0;  ///< waits and bytes of the busiest link, as ExpectedTraffic
                                      ///< counts them
  double seconds = 0;                 ///< that one took, the median
};

/// The latency and bandwidth that explain measured times best.
struct InterconnectFit {
  Interconnect interconnect;
  std::vector<double> residuals;  ///< of each time: (predicted - measured)/measured
};

/// The line through two of the times, or through one without a latency, from which the sum of
/// |log(predicted/measured)| is least: short averages count as much as long ones, and the few that
/// a link lets through before its limit acts do not bend it. Throws a SystemError for times from
/// which no bandwidth follows.
InterconnectFit fit_interconnect(const std::vector<TimedAverage>& times);

/// The text of a file for read_interconnect(), with all times and residuals. `hosts` is the number
/// of hosts whose links were measured, `remark` what a reader should know about them.
std::string interconnect_text(const InterconnectFit& fit, const std::vector<TimedAverage>& times,
                              int hosts, const std::string& remark);

/// Reads such a file. Throws an InputError with file, line and column.
Interconnect read_interconnect(const std::filesystem::path& path);
Interconnect parse_interconnect_file(const std::string& text, const std::string& source);

/// How far beyond what was measured a prediction goes unless somebody asks for more.
inline constexpr int kReach = 4;

/// Throws an InputError for more than kReach times the hosts, or the bytes of the busiest link in
/// one meeting, that were measured.
void check_reach(const Interconnect& interconnect, int hosts, const ExpectedTraffic& traffic);

}  // namespace localbatch
