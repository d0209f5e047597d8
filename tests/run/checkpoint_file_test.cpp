#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "core/files.h"
#include "experiment/fixtures.h"
#include "run/checkpoints.h"

namespace localbatch {

namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// A file with these sections.
Bytes file_of(const std::vector<Bytes>& sections) {
  const ScratchFolder scratch;
  OutputFile file(scratch.path() / "file");
  begin_checkpoint(file);
  for (const Bytes& section : sections) write_section(file, section);
  finish_checkpoint(file, sections.size());
  file.close();
  const MappedFile mapped(scratch.path() / "file");
  return {mapped.bytes().begin(), mapped.bytes().end()};
}

std::string error_of(const Bytes& file) {
  return input_error([&] { static_cast<void>(checkpoint_sections(file)); });
}

/// Whether a file is refused in one line.
bool refused(const Bytes& file) {
  try {
    static_cast<void>(checkpoint_sections(file));
  } catch (const InputError& error) {
    return one_line_with(error.what(), {});
  }
  return false;
}

const std::vector<Bytes> kSections{
    bytes_of("first"), {}, bytes_of(std::string("\0\xff", 2)), bytes_of(std::string(40, 'x'))};

}  // namespace

TEST_CASE("sections come back as they were written") {
  const Bytes file = file_of(kSections);
  const auto found = checkpoint_sections(file);
  REQUIRE(found.size() == kSections.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(std::ranges::equal(found[i], kSections[i]));
  CHECK(checkpoint_sections(file_of({})).empty());
}

TEST_CASE("the size of a file is known before it is written") {
  for (std::size_t count = 0; count <= kSections.size(); ++count) {
    const std::vector<Bytes> sections(kSections.begin(),
                                      kSections.begin() + static_cast<std::ptrdiff_t>(count));
    std::vector<std::size_t> sizes;
    for (const Bytes& section : sections) sizes.push_back(section.size());
    CHECK(checkpoint_size(sizes) == file_of(sections).size());
  }
}

TEST_CASE("a file begins with a line that a person can read") {
  const Bytes file = file_of({});
  const std::string line = "localbatch checkpoint 1\n";
  CHECK(std::ranges::equal(std::span(file).first(line.size()), bytes_of(line)));
  CHECK(contains(error_of(bytes_of("experiment: tiny\n")), "found no checkpoint of this version"));
}

TEST_CASE("every single bit that is another one is noticed") {
  Bytes file = file_of(kSections);
  int unnoticed = 0;
  for (std::byte& byte : file)
    for (int bit = 0; bit < 8; ++bit) {
      byte ^= std::byte{1} << bit;
      if (!refused(file)) ++unnoticed;
      byte ^= std::byte{1} << bit;
    }
  CHECK(unnoticed == 0);
  CHECK_FALSE(refused(file));
}

TEST_CASE("every byte that is missing or too many is noticed") {
  const Bytes file = file_of(kSections);
  for (std::size_t size = 0; size < file.size(); ++size) {
    CAPTURE(size);
    CHECK(refused(Bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size))));
  }
  for (const Bytes& more : {Bytes(1), Bytes(16), file}) {
    Bytes longer = file;
    longer.insert(longer.end(), more.begin(), more.end());
    CHECK(refused(longer));
  }
}

TEST_CASE("a section that is missing is noticed") {
  Bytes file = file_of({bytes_of("one"), bytes_of("two")});
  const std::ptrdiff_t section = 16 + 3;
  file.erase(file.end() - 16 - section, file.end() - 16);
  CHECK(contains(error_of(file), "found another end"));
}

TEST_CASE("what is wrong is said with its place") {
  Bytes file = file_of({bytes_of("one"), bytes_of("two")});
  const std::size_t second = file.size() - 16 - (16 + 3);
  file[second + 16] ^= std::byte{1};
  CHECK(contains(error_of(file), "found another checksum than the one that was written, in bytes " +
                                     std::to_string(second) + " to " +
                                     std::to_string(second + 18)));
}

}  // namespace localbatch
