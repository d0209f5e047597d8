#include "core/files.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <thread>

#include "core/error.h"
#include "core/file_fixtures.h"

namespace {

/// What the library asks the system to sync: f is a file, d a folder.
std::string synced;
bool folders_cannot_be_synced = false;

}  // namespace

/// Stands in front of the system's function in this program.
extern "C" int fsync(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return -1;
  const bool is_folder = S_ISDIR(status.st_mode);
  synced += is_folder ? 'd' : 'f';
  if (is_folder && folders_cannot_be_synced) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

using namespace localbatch;
namespace fs = std::filesystem;

TEST_CASE("what is written is read back, zero bytes and emptiness included") {
  const Directory directory;
  const fs::path path = directory / "file";
  const std::string bytes("a\0b\n\xff", 5);
  write_file_atomically(path, bytes);
  CHECK(read_text(path) == bytes);
  write_file_atomically(path, "");
  CHECK(read_text(path).empty());
  CHECK(directory.count() == 1);
}

TEST_CASE("a folder tells what it holds; one that cannot be read is not taken for an empty one") {
  const Directory directory;
  write_file_atomically(directory / "b", "");
  write_file_atomically(directory / "a", "");
  CHECK(paths_in(directory / "") == std::vector<fs::path>{directory / "a", directory / "b"});
  CHECK(paths_in(directory / "c").empty());
  CHECK(paths_in(directory / "a").empty());
  fs::create_symlink("loop", directory / "loop");
  CHECK_THROWS_AS(paths_in(directory / "loop"), SystemError);
}

TEST_CASE("a link to a file stays one, and what is no file stays what it is") {
  const Directory directory;
  write_file_atomically(directory / "file", "old");
  fs::create_symlink("file", directory / "link");
  write_file_atomically(directory / "link", "new");
  CHECK(fs::is_symlink(directory / "link"));
  CHECK(read_text(directory / "file") == "new");
  const fs::path fifo = directory / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK_THROWS_AS(write_file_atomically(fifo, "text"), InputError);
  CHECK(fs::is_fifo(fifo));
  CHECK_THROWS_AS(write_file_atomically("/dev/null", "text"), InputError);
  CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("a shorter file replaces a longer one whole") {
  const Directory directory;
  const fs::path path = directory / "file";
  write_file_atomically(path, std::string(100000, 'x'));
  write_file_atomically(path, "short");
  CHECK(read_text(path) == "short");
  CHECK(directory.count() == 1);
}

TEST_CASE("what a killed process left behind does not end up in the file") {
  const Directory directory;
  std::ofstream(directory / "file.new") << std::string(1000, 'x');
  write_file_atomically(directory / "file", "whole");
  CHECK(read_text(directory / "file") == "whole");
  CHECK(directory.count() == 1);
}

TEST_CASE("a reader sees the old bytes or the new ones, never a mixture") {
  const Directory directory;
  const fs::path path = directory / "file";
  const std::string a(1 << 18, 'a'), b(1 << 18, 'b');
  write_file_atomically(path, a);
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 20; ++i) write_file_atomically(path, i % 2 == 0 ? b : a);
    done = true;
  });
  int mixtures = 0;
  while (!done) {
    const std::string seen = read_text(path);
    if (seen != a && seen != b) ++mixtures;
  }
  writer.join();
  CHECK(mixtures == 0);
}

TEST_CASE("a full disk is reported with call and path; the old file stays, no half file does") {
  const Directory directory;
  const fs::path path = directory / "file";
  write_file_atomically(path, "old");
  const std::string error = [&] {
    const FileSizeLimit limit(10);
    return system_error_of([&] { write_file_atomically(path, std::string(1000, 'x')); });
  }();
  CHECK(error.find(path.string()) != std::string::npos);
  CHECK(error.find("write failed: File too large") != std::string::npos);
  CHECK(read_text(path) == "old");
  CHECK(directory.count() == 1);
}

TEST_CASE("a target that cannot be replaced is reported and left alone") {
  const Directory directory;
  const fs::path path = directory / "folder";
  fs::create_directories(path / "full");
  const std::string error = system_error_of([&] { write_file_atomically(path, "text"); });
  CHECK(error.find(path.string() + ": rename failed: ") == 0);
  CHECK(fs::is_directory(path / "full"));
  CHECK(directory.count() == 1);
}

TEST_CASE("a folder that does not exist is reported with the path") {
  const Directory directory;
  const fs::path path = directory / "nowhere/file";
  const std::string error = system_error_of([&] { write_file_atomically(path, "text"); });
  CHECK(error == path.string() + ".new: open failed: No such file or directory");
}

TEST_CASE("a file is synced, and then the folder that lists it") {
  const Directory directory;
  synced.clear();
  write_file_atomically(directory / "file", "text");
  CHECK(synced == "fd");
}

TEST_CASE("a file without a folder in its path is written to the current one") {
  const Directory directory;
  const fs::path before = fs::current_path();
  fs::current_path((directory / "file").parent_path());
  const std::string error = system_error_of([] { write_file_atomically("file", "text"); });
  fs::current_path(before);
  CHECK(error == "no error");
  CHECK(read_text(directory / "file") == "text");
}

TEST_CASE("a folder that cannot be synced is reported; the new file is whole") {
  const Directory directory;
  const fs::path path = directory / "file";
  write_file_atomically(path, "old");
  folders_cannot_be_synced = true;
  const std::string error = system_error_of([&] { write_file_atomically(path, "new"); });
  folders_cannot_be_synced = false;
  CHECK(error == path.parent_path().string() + ": fsync failed: Input/output error");
  CHECK(read_text(path) == "new");
  CHECK(directory.count() == 1);
}

TEST_CASE("a file that cannot be read is a person's mistake and names the path") {
  const Directory directory;
  const std::string missing = (directory / "missing").string();
  CHECK_THROWS_WITH_AS(read_file(missing), (missing + ": no such file").c_str(), InputError);
  fs::create_directory(directory / "folder");
  const std::string folder = (directory / "folder").string();
  CHECK_THROWS_WITH_AS(read_file(folder), (folder + ": not a regular file").c_str(), InputError);
}

TEST_CASE("what is no regular file is refused at once, to read and to write") {
  const Directory directory;
  const fs::path fifo = directory / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const auto error_of = [](const auto& action) -> std::string {
    try {
      action();
    } catch (const InputError& error) {
      return error.what();
    }
    return "(no InputError)";
  };
  for (const fs::path& path : {fifo, fs::path("/dev/zero"), fs::path("/dev/null")}) {
    const std::string refused = path.string() + ": not a regular file";
    CHECK(error_of([&] { read_file(path); }) == refused);
    CHECK(error_of([&] { MappedFile{path}; }) == refused);
    CHECK(error_of([&] { OutputFile{path}; }) == refused);
    CHECK(error_of([&] { OutputFile(path, 0); }) == refused);
  }
  CHECK(error_of([&] { read_file(directory / "."); }).ends_with(": not a regular file"));
  ::mkfifo((directory / "file.new").c_str(), 0600);
  CHECK(error_of([&] { write_file_atomically(directory / "file", "text"); }) ==
        (directory / "file.new").string() + ": not a regular file");
}
