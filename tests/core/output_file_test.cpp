#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "core/error.h"
#include "core/file_fixtures.h"
#include "core/files.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

void write_text(const fs::path& path, const std::string& text) {
  OutputFile file(path);
  file.write(text);
  file.close();
}

/// Whether a line begins with the path and names the call.
bool names(const std::string& line, const fs::path& path, const std::string& call) {
  return line.starts_with(path.string() + ": ") && line.find(call) != std::string::npos &&
         line.find('\n') == std::string::npos;
}

}  // namespace

TEST_CASE("what is written piece by piece stands in the file, and its size is known") {
  const Directory directory;
  const fs::path path = directory / "file";
  write_text(path, "something longer that was there before");
  OutputFile file(path);
  CHECK(file.size() == 0);
  file.write("one,");
  file.write(std::string_view());
  file.write("two\n");
  CHECK(file.size() == 8);
  CHECK(read_text(path) == "one,two\n");  // nothing waits in a buffer
  file.sync();
  file.close();
  CHECK(read_text(path) == "one,two\n");
}

TEST_CASE("writing goes on behind a size, and what stood there goes") {
  const Directory directory;
  const fs::path path = directory / "file";
  write_text(path, "kept, lost to a crash");
  {
    OutputFile file(path, 4);
    CHECK(file.size() == 4);
    CHECK(read_text(path) == "kept");
    file.write("!");
    CHECK(file.size() == 5);
  }
  CHECK(read_text(path) == "kept!");
  {
    OutputFile file(path, 5);
    file.write("?");
  }
  CHECK(read_text(path) == "kept!?");
  { const OutputFile file(path, 0); }
  CHECK(read_text(path).empty());
}

TEST_CASE("a file that is shorter than what has been written is refused and stays") {
  const Directory directory;
  const fs::path path = directory / "file";
  write_text(path, "kept");
  const std::string expected = path.string() +
                               ": found 4 bytes, expected at least 5: somebody has cut it "
                               "short";
  CHECK_THROWS_WITH_AS(OutputFile(path, 5), expected.c_str(), InputError);
  CHECK(read_text(path) == "kept");
}

TEST_CASE("a failing call is named with its path") {
  const Directory directory;
  const fs::path none = directory / "none" / "file";
  CHECK(names(system_error_of([&] { const OutputFile file(none); }), none, "open failed: No such"));
  CHECK(names(system_error_of([&] { const OutputFile file(none, 3); }), none, "open failed"));
  CHECK(names(system_error_of([&] { sync_folder(none); }), none, "open failed"));
  CHECK(names(system_error_of([&] { rename_file(directory / "none", directory / "new"); }),
              directory / "new", "rename failed"));
  CHECK(names(system_error_of([&] { static_cast<void>(free_space(none)); }), none, "free space"));
  const fs::path path = directory / "file";
  OutputFile file(path);
  {
    const FileSizeLimit limit(3);
    CHECK(names(system_error_of([&] { file.write("longer"); }), path, "write failed"));
  }
  CHECK(file.size() == 3);  // what did fit
  file.close();
  CHECK(names(system_error_of([&] { file.write("more"); }), path, "write failed"));
  CHECK(names(system_error_of([&] { file.sync(); }), path, "fsync failed"));
  CHECK(names(system_error_of([&] { file.close(); }), path, "close failed"));
}

TEST_CASE("a file that was moved is written by its new owner") {
  const Directory directory;
  const fs::path path = directory / "file";
  OutputFile first(path);
  first.write("one ");
  OutputFile second = std::move(first);
  second.write("two");
  CHECK(second.size() == 7);
  second.close();
  CHECK(read_text(path) == "one two");
}

TEST_CASE("a file takes the place of the one that had its name") {
  const Directory directory;
  write_text(directory / "old", "old");
  write_text(directory / "new", "new");
  rename_file(directory / "new", directory / "old");
  CHECK_NOTHROW(sync_folder(directory / "."));
  CHECK(read_text(directory / "old") == "new");
  CHECK(directory.count() == 1);
  CHECK(free_space(directory / ".") > 0);
}

}  // namespace localbatch
