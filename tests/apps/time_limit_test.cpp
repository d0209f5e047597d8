#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "data/fixtures.h"
#include "stop_requests.h"

namespace localbatch {

namespace {

constexpr const char* kJobEnd = "SLURM_JOB_END_TIME";

/// The end of the Slurm job as tests see it; the one that they may run in comes back.
class JobEnd {
 public:
  explicit JobEnd(const std::string& text) {
    if (const char* const before = std::getenv(kJobEnd)) before_ = before;
    if (text.empty())
      ::unsetenv(kJobEnd);
    else
      ::setenv(kJobEnd, text.c_str(), 1);
  }
  ~JobEnd() {
    if (before_)
      ::setenv(kJobEnd, before_->c_str(), 1);
    else
      ::unsetenv(kJobEnd);
  }
  JobEnd(const JobEnd&) = delete;
  JobEnd& operator=(const JobEnd&) = delete;

 private:
  std::optional<std::string> before_;
};

JobEnd in_seconds(long seconds) {
  return JobEnd(std::to_string(
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()) + seconds));
}

bool is_near(std::optional<double> seconds) { return TimeLimit(seconds).is_near(); }

}  // namespace

TEST_CASE("durations are seconds, minutes or hours") {
  CHECK(parse_duration("0") == 0);
  CHECK(parse_duration("90") == 90);
  CHECK(parse_duration("30:00") == 1800);
  CHECK(parse_duration("2:30:05") == 9005);
  CHECK(parse_duration("48:00:00") == 172800);
}

TEST_CASE("what is no duration is refused in one line that shows it") {
  for (const std::string text : {"", "nonsense", "-1", "1:-1", "1.5", "1h", "1:2:3:4", ":",
                                 "1:", ":1", "1::2", " 1", "1 ", "0x10", "99999999999"}) {
    CAPTURE(text);
    CHECK(input_error([&] { parse_duration(text); }) ==
          "--time-limit: found '" + text +
              "', expected seconds, MINUTES:SECONDS or HOURS:MINUTES:SECONDS");
  }
}

TEST_CASE("without a limit no end is near, and a far one is not") {
  const JobEnd none("");
  CHECK_FALSE(is_near({}));
  CHECK_FALSE(is_near(100));
  CHECK_FALSE(is_near(parse_duration("2147483647:00:00")));
}

TEST_CASE("an end is near when a checkpoint would hardly be done by then") {
  const JobEnd none("");
  CHECK(is_near(5));
  CHECK(is_near(0));
}

TEST_CASE("the longer rounds are, the earlier an end is near") {
  using namespace std::chrono_literals;
  const JobEnd none("");
  TimeLimit limit(11.5);
  CHECK_FALSE(limit.is_near());
  std::this_thread::sleep_for(600ms);  // the round: another of 1.2 s and 10 s are more than is left
  CHECK(limit.is_near());
  TimeLimit later(14);
  CHECK_FALSE(later.is_near());
  std::this_thread::sleep_for(600ms);
  CHECK_FALSE(later.is_near());
}

TEST_CASE("the end of a Slurm job is known, and the earlier one counts") {
  {
    const JobEnd job = in_seconds(5);
    CHECK(is_near({}));
    CHECK(is_near(100));
  }
  {
    const JobEnd job = in_seconds(100);
    CHECK_FALSE(is_near({}));
    CHECK(is_near(5));
    CHECK_FALSE(is_near(200));
  }
  const JobEnd job = in_seconds(-100);
  CHECK(is_near({}));
}

TEST_CASE("an end of a job that is no time is none") {
  for (const char* const text : {"Unknown", "1e9", "12 o'clock"}) {
    const JobEnd job(text);
    CHECK_FALSE(is_near({}));
  }
}

}  // namespace localbatch
