#include "core/csv.h"

#include <doctest/doctest.h>

#include "core/error.h"
#include "core/file_fixtures.h"

namespace localbatch {

namespace {

std::filesystem::path csv_with(const Directory& folder, const std::string& text) {
  const std::filesystem::path path = folder / "rounds.csv";
  write_file_atomically(path, text);
  return path;
}

}  // namespace

TEST_CASE("a column that stands twice in a CSV file is refused, however short its rows are") {
  const Directory scratch;
  for (const char* const text : {"round,loss,loss\n1,2,3\n", "round,round\n", "a,,\n1,2,3\n"})
    CHECK_THROWS_AS(CsvColumns(csv_with(scratch, text)), InputError);
  const CsvColumns good(csv_with(scratch, "round,loss\n1,2\n"));
  CHECK(good.all_numbers("loss") == std::vector{2.0});
}

TEST_CASE("what is added up is finite, and positions ascend") {
  const Directory scratch;
  const CsvColumns columns(csv_with(scratch,
                                    "round,nan,inf,none,down,negative,huge\n"
                                    "1,1,1,1,2,-1,1\n"
                                    "1,nan,inf,,1,0,1e300\n"));
  CHECK(columns.positions("round") == std::vector{1.0, 1.0});
  for (const char* const name : {"nan", "inf", "none"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(columns.all_numbers(name), InputError);
    CHECK_THROWS_AS(sum_of(columns, name), InputError);
  }
  for (const char* const name : {"nan", "inf", "none", "down", "negative", "huge"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(columns.positions(name), InputError);
  }
  CHECK(columns.numbers("none").back() == std::nullopt);
}

TEST_CASE("a spreadsheet computes nothing from a cell that we write, and numbers stay numbers") {
  CHECK(csv_line({"=1+1", "+x", "-y", "@z", "-1.5e-3", "-inf", "-", "a=b", ""}) ==
        "'=1+1,'+x,'-y,'@z,-1.5e-3,-inf,'-,a=b,\n");
  CHECK(csv_line({"=a,\"b\""}) == "\"'=a,\"\"b\"\"\"\n");
  CHECK(csv_line({"a\x1b[2J\nb"}) == "a\\u001b[2J\\u000ab\n");
}

TEST_CASE("a CSV file goes on behind its own rows, and is refused when its columns are others") {
  const Directory scratch;
  const std::filesystem::path path = scratch / "rounds.csv";
  CsvBeginning written;
  {
    CsvFile file(path, {"round", "loss"});
    file.write({"1", "0.5"});
    written = file.written();
    file.write({"2", "0.4"});
  }
  CHECK_THROWS_WITH_AS(
      CsvFile(path, {"round", "loss", "drift"}, written),
      (path.string() + ": has other columns than this version of the program writes: another "
                       "version has begun it, and can go on with it")
          .c_str(),
      InputError);
  CHECK(read_text(path) == "round,loss\n1,0.5\n2,0.4\n");
  CsvFile(path, {"round", "loss"}, written).write({"2", "0.3"});
  CHECK(read_text(path) == "round,loss\n1,0.5\n2,0.3\n");
}

}  // namespace localbatch
