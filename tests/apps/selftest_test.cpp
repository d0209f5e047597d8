// 'localbatch selftest' as a person starts it after an installation.

#include <doctest/doctest.h>

#include "apps/program_fixture.h"

namespace localbatch {

namespace {

/// How many lines say that a check is well, or has failed.
long lines_with_word(const std::string& word, const Finished& finished) {
  return std::ranges::count_if(lines_of(finished.out), [&](const std::string& line) {
    return contains(line, " " + word + " ");
  });
}

}  // namespace

TEST_CASE("selftest finds all well on one rank and on two, and leaves nothing behind") {
  const ProgramFixture program;
  for (const char* const launcher : {"", LOCALBATCH_MPIRUN " 2"}) {
    CAPTURE(launcher);
    const Finished finished = program.run("selftest", launcher);
    CHECK(finished.status == 0);
    CHECK(finished.errors.empty());
    CHECK_MESSAGE(lines_with_word("ok", finished) >= 6, finished.out);
    CHECK(contains(finished.out, "all is well\n"));
    CHECK_FALSE(fs::exists(program.path("results")));
  }
}

#ifdef LOCALBATCH_FAILING_CALLS
TEST_CASE("selftest on a full disk: the checks that write fail and say why, status 1") {
  const ProgramFixture program;
  const std::string folder = program.path("results").string();
  const Finished finished = program.run(
      "selftest --output " + folder,
      "env FAILING_CALL=rename FAILING_NUMBER=1 FAILING_ERROR=28 FAILING_LASTS=1 FAILING_REPORT=" +
          program.path("report").string() + " FAILING_FOLDER=" + folder +
          " LD_PRELOAD=" LOCALBATCH_FAILING_CALLS);
  CHECK(finished.status == 1);
  CHECK_MESSAGE(lines_with_word("FAILED", finished) == 2, finished.out);
  CHECK(lines_with_word("ok", finished) >= 4);
  CHECK(contains(finished.out, "No space left on device"));
  CHECK(contains(finished.out, "a check has failed\n"));
}
#endif

TEST_CASE("selftest refuses an output that is no folder") {
  const ProgramFixture program;
  check_refused(program, "selftest --output tiny.yaml", {"tiny.yaml: cannot be written"});
}

}  // namespace localbatch
