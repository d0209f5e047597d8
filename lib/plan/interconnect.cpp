#include "plan/interconnect.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <span>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/machine.h"
#include "core/options.h"
#include "core/text.h"
#include "core/yaml.h"

namespace localbatch {

namespace {

struct UnitOfMeasure {
  std::string_view name;
  double factor;
};
constexpr std::array<UnitOfMeasure, 3> kRates{
    {{"kbit", 1e3 / 8}, {"mbit", 1e6 / 8}, {"gbit", 1e9 / 8}}};
constexpr std::array<UnitOfMeasure, 3> kTimes{{{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}}};

/// A number with one of the units, or without one where `bare` numbers are allowed; nothing for
/// what does not begin with a number from 0 on. `expected` is what a message about another unit
/// says.
std::optional<double> number_with_unit(const std::string& option, std::string_view text,
                                       std::span<const UnitOfMeasure> units, bool bare,
                                       std::string_view expected) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || !std::isfinite(value) || value < 0) return {};
  std::string unit(rest, end);
  std::ranges::transform(unit, unit.begin(), [](unsigned char c) { return std::tolower(c); });
  if (unit.empty() && bare) return value;
  std::vector<std::string> names;
  for (const UnitOfMeasure& one : units) {
    if (one.name == unit) return value * one.factor;
    names.emplace_back(one.name);
  }
  fail_input("{}: found '{}', expected {}; its unit is {}", option, text, expected,
             allowed_names(unit, names));
}

}  // namespace

double parse_bandwidth(const std::string& option, const std::string& text) {
  constexpr std::string_view kExpected = "a rate such as 1gbit or 125000000";
  const std::optional<double> rate = number_with_unit(option, text, kRates, true, kExpected);
  if (rate && *rate > 0) return *rate;
  fail_input("{}: found '{}', expected {}", option, text, kExpected);
}

Interconnect parse_interconnect(const std::string& option, const std::string& text) {
  const std::size_t plus = text.find('+');
  Interconnect read{.bandwidth = parse_bandwidth(option, text.substr(0, plus))};
  if (plus == std::string::npos) return read;
  constexpr std::string_view kExpected = "a latency behind the rate, as in 1gbit+50ms";
  const std::string_view behind = std::string_view(text).substr(plus + 1);
  const auto latency = number_with_unit(option, behind, kTimes, false, kExpected);
  if (!latency) fail_input("{}: found '{}', expected {}", option, behind, kExpected);
  read.latency = *latency;
  return read;
}

namespace {

/// The seconds of a wait and of a byte.
struct Line {
  double latency = 0, seconds_per_byte = 0;

  double seconds(const TimedAverage& time) const {
    return latency * static_cast<double>(time.waits) +
           seconds_per_byte * static_cast<double>(time.bytes);
  }
};

/// The line through two times; nothing where both have waits and bytes in the same proportion.
std::optional<Line> line_through(const TimedAverage& one, const TimedAverage& other) {
  const auto w1 = static_cast<double>(one.waits), w2 = static_cast<double>(other.waits);
  const auto b1 = static_cast<double>(one.bytes), b2 = static_cast<double>(other.bytes);
  const double determinant = w1 * b2 - w2 * b1;
  if (determinant == 0) return {};
  return Line{.latency = (one.seconds * b2 - other.seconds * b1) / determinant,
              .seconds_per_byte = (w1 * other.seconds - w2 * one.seconds) / determinant};
}

/// The lines through two of the times; where one would have a negative latency, those without a
/// latency through each of the two.
std::vector<Line> lines_through(const std::vector<TimedAverage>& times) {
  std::vector<Line> lines;
  for (std::size_t i = 0; i < times.size(); ++i)
    for (std::size_t j = i + 1; j < times.size(); ++j) {
      const std::optional<Line> line = line_through(times[i], times[j]);
      if (!line || !(line->seconds_per_byte > 0)) continue;
      if (line->latency >= 0) {
        lines.push_back(*line);
        continue;
      }
      for (const TimedAverage& time : {times[i], times[j]})
        if (time.bytes > 0) lines.push_back({0, time.seconds / static_cast<double>(time.bytes)});
    }
  return lines;
}

double distance(const Line& line, const std::vector<TimedAverage>& times) {
  double sum = 0;
  for (const TimedAverage& time : times)
    sum += std::abs(std::log(line.seconds(time) / time.seconds));
  return sum;
}

}  // namespace

InterconnectFit fit_interconnect(const std::vector<TimedAverage>& times) {
  for (const TimedAverage& time : times) check(time.seconds > 0, "an average takes time");
  const std::vector<Line> lines = lines_through(times);
  if (lines.empty())
    fail_system(
        "the times of averages do not grow with their bytes, so that no bandwidth follows from "
        "them");
  const Line best = *std::ranges::min_element(
      lines, {}, [&times](const Line& line) { return distance(line, times); });
  InterconnectFit fit{
      .interconnect = {.bandwidth = 1 / best.seconds_per_byte, .latency = best.latency},
      .residuals = {}};
  for (const TimedAverage& time : times)
    fit.residuals.push_back((best.seconds(time) - time.seconds) / time.seconds);
  return fit;
}

std::string interconnect_text(const InterconnectFit& fit, const std::vector<TimedAverage>& times,
                              int hosts, const std::string& remark) {
  std::int64_t most = 0;
  for (const TimedAverage& time : times) most = std::max(most, time.bytes);
  std::string text = fmt::format(
      "# What connects hosts, for 'localbatch plan --network-file'.\n"
      "# made:     {}, by 'localbatch bench sync --fit' of {}\n"
      "# machine:  {}, {}\n"
      "# measured: {}\n"
      "# An average takes latency_seconds for each of its waits and the bytes of the busiest link\n"
      "# divided by the bandwidth: least sum of |log(predicted/measured)|.\n"
      "latency_seconds: {}\nbandwidth_bytes_per_second: {}\nhosts: {}\nlargest_bytes: {}\n"
      "#   numbers  waits       bytes     seconds   residual %\n",
      utc_now(), build_info().version, host_name(), cpu_model(), remark, fit.interconnect.latency,
      fit.interconnect.bandwidth, hosts, most);
  for (std::size_t i = 0; i < times.size(); ++i)
    text += fmt::format("# {:>9} {:>6} {:>11} {:>11.6f} {:>+12.1f}\n", times[i].numbers,
                        times[i].waits, times[i].bytes, times[i].seconds, 100 * fit.residuals[i]);
  return text;
}

Interconnect parse_interconnect_file(const std::string& text, const std::string& source) {
  const Node file = parse_yaml(text, source);
  Options options(file);
  constexpr double kLeast = 1e-9, kMost = 1e15;
  Interconnect read;
  read.latency = options.number("latency_seconds",
                                {.fallback = {}, .min = 0, .max = kMost, .meaning = "of a wait"});
  read.bandwidth =
      options.number("bandwidth_bytes_per_second",
                     {.fallback = {}, .min = kLeast, .max = kMost, .meaning = "of a host's link"});
  read.measured = Interconnect::Source{
      .file = source,
      .hosts = options.integer<int>(
          "hosts", {.fallback = {}, .min = 1, .max = 65536, .meaning = "that were measured"}),
      .bytes = options.integer("largest_bytes",
                               {.fallback = {},
                                .min = 1,
                                .max = std::int64_t{1} << 53,
                                .meaning = "of the busiest link in the longest average"})};
  options.finish();
  return read;
}

Interconnect read_interconnect(const std::filesystem::path& path) {
  return parse_interconnect_file(read_text(path), path.string());
}

void check_reach(const Interconnect& interconnect, int hosts, const ExpectedTraffic& traffic) {
  if (!interconnect.measured) return;
  const auto& [file, measured_hosts, bytes] = *interconnect.measured;
  if (hosts > std::int64_t{kReach} * measured_hosts)
    fail_input(
        "{}: was measured between {}, found {}, allowed are {} times as many without "
        "--extrapolate",
        file, counted(measured_hosts, "host"), hosts, kReach);
  if (traffic.largest_meeting > kReach * bytes)
    fail_input(
        "{}: was measured up to {} of a link in an average, found {}, allowed are {} times "
        "as many without --extrapolate",
        file, size_text(static_cast<std::uint64_t>(bytes)),
        size_text(static_cast<std::uint64_t>(traffic.largest_meeting)), kReach);
}

}  // namespace localbatch
