#include <doctest/doctest.h>

#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/file_fixtures.h"
#include "core/files.h"

namespace localbatch {

namespace fs = std::filesystem;

namespace {

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

}  // namespace

TEST_CASE("a mapped file is its bytes") {
  const Directory directory;
  std::string text("a\0b\n\xff", 5);
  text.append(10000, 'x');
  std::ofstream(directory / "file") << text;
  CHECK(text_of(MappedFile(directory / "file")) == text);
  std::ofstream(directory / "empty") << "";
  CHECK(MappedFile(directory / "empty").bytes().empty());
}

TEST_CASE("bytes stay where they are when their file moves to another owner") {
  const Directory directory;
  std::ofstream(directory / "file") << "one";
  std::ofstream(directory / "other") << "other";
  std::optional<MappedFile> first(directory / "file");
  const std::byte* const place = first->bytes().data();
  MappedFile second = std::move(*first);
  first.reset();
  CHECK(second.bytes().data() == place);
  CHECK(text_of(second) == "one");
  second = MappedFile(directory / "other");
  CHECK(text_of(second) == "other");
  fs::remove(directory / "other");
  CHECK(text_of(second) == "other");
}

TEST_CASE("what cannot be mapped is refused in one line with its path") {
  const Directory directory;
  const auto error_of = [](const fs::path& path) -> std::string {
    try {
      const MappedFile file(path);
    } catch (const InputError& error) {
      return error.what();
    }
    return "(no InputError)";
  };
  CHECK(error_of(directory / "none") == (directory / "none").string() + ": no such file");
  CHECK(error_of(directory / ".") == (directory / ".").string() + ": not a regular file");
  CHECK(error_of("/dev/null") == "/dev/null: not a regular file");
}

}  // namespace localbatch
