#include "plan/interconnect.h"

#include <doctest/doctest.h>

#include <fstream>

#include "core/error.h"
#include "data/fixtures.h"

namespace localbatch {

namespace {

/// What a link of this latency and bandwidth makes of averages of 1 Ki to 4 Mi numbers between two
/// hosts, which wait three times and send 4 bytes a number.
std::vector<TimedAverage> exact_times(double latency, double bandwidth) {
  std::vector<TimedAverage> times;
  for (std::int64_t numbers = 1 << 10; numbers <= 1 << 22; numbers *= 4)
    times.push_back({.numbers = static_cast<std::size_t>(numbers),
                     .waits = 3,
                     .bytes = 4 * numbers,
                     .seconds = 3 * latency + static_cast<double>(4 * numbers) / bandwidth});
  return times;
}

}  // namespace

TEST_CASE("names of networks: a rate, and a latency if it is another one") {
  const auto read = [](const std::string& name) { return parse_interconnect("--network", name); };
  CHECK(read("1gbit").bandwidth == 125e6);
  CHECK(read("1gbit").latency == 1e-4);
  CHECK(read("1Gbit").bandwidth == 125e6);
  CHECK(read("10gbit+50ms").bandwidth == doctest::Approx(1.25e9));
  CHECK(read("10gbit+50ms").latency == doctest::Approx(0.05));
  CHECK(read("200mbit+20us").bandwidth == doctest::Approx(25e6));
  CHECK(read("200mbit+20us").latency == doctest::Approx(2e-5));
  CHECK(read("8kbit+2s").bandwidth == 1000);
  CHECK(read("8kbit+2s").latency == 2);
  CHECK(read("64+0ms").bandwidth == 64);
  CHECK(read("64+0ms").latency == 0);
  const auto refused = [&](const std::string& name) { return input_error([&] { read(name); }); };
  CHECK(contains(refused("1gibt"), "--network: found '1gibt', expected a rate"));
  CHECK(contains(refused("1gibt"), "kbit | mbit | gbit (did you mean 'gbit'?)"));
  CHECK(contains(refused("1gbit+5m"), "found '5m', expected a latency behind the rate"));
  CHECK(contains(refused("1gbit+5m"), "us | ms | s (did you mean 'ms'?)"));
  CHECK(contains(refused("1gbit+5"), "its unit is us | ms | s"));
  for (const char* const name : {"", "fast", "0", "-1gbit", "nan", "inf", "+50ms", "1e999"})
    CHECK(contains(refused(name), "expected a rate such as 1gbit"));
  for (const char* const name : {"1gbit+", "1gbit+-1ms", "1gbit+nan", "1gbit+ms"})
    CHECK(contains(refused(name), "expected a latency behind the rate, as in 1gbit+50ms"));
}

TEST_CASE("seconds are those of waits and of the busiest link") {
  const Interconnect links{.bandwidth = 1000, .latency = 0.5};
  const ExpectedTraffic traffic{.hosts = {{.sent = 300, .received = 100}, {.sent = 50}},
                                .waits = 4};
  CHECK(links.seconds(traffic) == doctest::Approx(4 * 0.5 + 0.3));
}

TEST_CASE("a fit to times that the model made finds its numbers") {
  for (const double latency : {0.0, 2e-5, 0.05})
    for (const double bandwidth : {1e6, 125e6, 1.25e10}) {
      const InterconnectFit fit = fit_interconnect(exact_times(latency, bandwidth));
      CHECK(fit.interconnect.bandwidth == doctest::Approx(bandwidth));
      CHECK(fit.interconnect.latency == doctest::Approx(latency).epsilon(1e-6));
      for (const double residual : fit.residuals) CHECK(std::abs(residual) < 1e-6);
    }
}

TEST_CASE("a fit to three times, by hand") {
  // A second for each wait and each byte is right for the first two and twice too much for the
  // third; a byte a second and no latency would be right for the last two and infinitely too little
  // for the first.
  const InterconnectFit fit = fit_interconnect({{.waits = 3, .bytes = 0, .seconds = 3},
                                                {.waits = 0, .bytes = 100, .seconds = 100},
                                                {.waits = 5, .bytes = 5, .seconds = 5}});
  CHECK(fit.interconnect.latency == 1);
  CHECK(fit.interconnect.bandwidth == 1);
  CHECK(fit.residuals == std::vector<double>{0, 0, 1});
}

TEST_CASE("a fit is not bent by what a link lets through before its limit acts") {
  // Three hosts with links of 100 Mbit/s: a token bucket of 250 kB was full for the first two.
  const std::vector<double> seconds{0.000171, 0.000253, 0.008766, 0.028761,
                                    0.114289, 0.473075, 1.903405};
  std::vector<TimedAverage> times;
  for (std::int64_t numbers = 1 << 10; const double measured : seconds) {
    times.push_back({.waits = 3, .bytes = 16 * numbers / 3, .seconds = measured});
    numbers *= 4;
  }
  const InterconnectFit fit = fit_interconnect(times);
  CHECK(fit.interconnect.bandwidth == doctest::Approx(100e6 / 8).epsilon(0.07));
  for (std::size_t i = 3; i < times.size(); ++i) CHECK(std::abs(fit.residuals[i]) < 0.05);
}

TEST_CASE("a fit has no negative latency, and no bandwidth where times do not tell one") {
  // One second for 100 bytes, four for 200: the line would begin at -2 seconds. Without a latency
  // a line through either is off by a factor of two for the other, and the first is taken.
  const InterconnectFit fit = fit_interconnect(
      {{.waits = 1, .bytes = 100, .seconds = 1}, {.waits = 1, .bytes = 200, .seconds = 4}});
  CHECK(fit.interconnect.latency == 0);
  CHECK(fit.interconnect.bandwidth == doctest::Approx(100));
  const TimedAverage once{.waits = 3, .bytes = 100, .seconds = 1};
  for (const std::vector<TimedAverage>& times : std::vector<std::vector<TimedAverage>>{
           {once, once},                                         // one length
           {once, {.waits = 3, .bytes = 200, .seconds = 0.5}}})  // faster with more bytes
    CHECK_THROWS_AS(fit_interconnect(times), SystemError);
}

TEST_CASE("what a fit writes is what a plan reads") {
  const std::vector<TimedAverage> times = exact_times(0.003, 1e8);
  const InterconnectFit fit = fit_interconnect(times);
  const std::string text = interconnect_text(fit, times, 2, "2 workers of 2 ranks on 2 hosts");
  CHECK(contains(text, "# measured: 2 workers of 2 ranks on 2 hosts\n"));
  CHECK(contains(text, "#   4194304      3    16777216"));
  const ScratchFolder scratch;
  std::ofstream(scratch.path() / "net.yaml") << text;
  const Interconnect read = read_interconnect(scratch.path() / "net.yaml");
  CHECK(read.bandwidth == fit.interconnect.bandwidth);
  CHECK(read.latency == fit.interconnect.latency);
  REQUIRE(read.measured);
  CHECK(read.measured->hosts == 2);
  CHECK(read.measured->bytes == 4 << 22);
}

TEST_CASE("mistakes in a file of a network have a place and the nearest name") {
  const auto refused = [](const std::string& text) {
    return input_error([&] { parse_interconnect_file(text, "net.yaml"); });
  };
  const std::string rest = "bandwidth_bytes_per_second: 1e8\nhosts: 2\nlargest_bytes: 100\n";
  CHECK(contains(refused("latency_second: 1\n" + rest), "latency_seconds"));
  CHECK(contains(refused("latency_seconds: -1\n" + rest), "net.yaml:1:18: latency_seconds: found"));
  CHECK(contains(refused("latency_seconds: 1\nhost: 3\n" + rest), "net.yaml:2:1: host"));
  CHECK(contains(refused("latency_seconds: 1\nhost: 3\n" + rest), "(did you mean 'hosts'?)"));
  CHECK(contains(refused("latency_seconds: 1\nbandwidth_bytes_per_second: 0\n"), "net.yaml:2:29"));
}

TEST_CASE("no prediction goes beyond four times what was measured") {
  const Interconnect given;
  check_reach(given, 1000, {.largest_meeting = std::int64_t{1} << 50});
  const Interconnect links{.measured = Interconnect::Source{"net.yaml", 2, 1000}};
  check_reach(links, 8, {.largest_meeting = 4000});
  CHECK(contains(input_error([&] { check_reach(links, 9, {}); }),
                 "net.yaml: was measured between 2 hosts, found 9, allowed are 4 times as many "
                 "without --extrapolate"));
  CHECK(contains(input_error([&] { check_reach(links, 2, {.largest_meeting = 4001}); }),
                 "net.yaml: was measured up to 1000 B of a link in an average, found 3.9 KiB"));
}

}  // namespace localbatch
