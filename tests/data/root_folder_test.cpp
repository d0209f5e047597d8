#include "data/root_folder.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>

#include "fixtures.h"

using namespace localbatch;
namespace fs = std::filesystem;

namespace {

constexpr const char* kVariable = "LOCALBATCH_DATA";

/// The variable as a test sees it; the value that it had outside comes back.
class DataVariable {
 public:
  explicit DataVariable(const char* value) {
    if (const char* const before = std::getenv(kVariable)) before_ = before;
    if (value == nullptr)
      ::unsetenv(kVariable);
    else
      ::setenv(kVariable, value, 1);
  }
  ~DataVariable() {
    if (before_)
      ::setenv(kVariable, before_->c_str(), 1);
    else
      ::unsetenv(kVariable);
  }
  DataVariable(const DataVariable&) = delete;
  DataVariable& operator=(const DataVariable&) = delete;

 private:
  std::optional<std::string> before_;
};

std::string refusal(const std::string& name, const std::string& root) {
  return input_error([&] { load({{"name", name}, {"root", root}}); });
}

}  // namespace

TEST_CASE(
    "a root is relative to the working directory unless LOCALBATCH_DATA stands in for data/") {
  for (const char* const unset : {static_cast<const char*>(nullptr), ""}) {
    const DataVariable variable(unset);
    for (const char* const root : {"data/mnist", "data", "other/data", "/data/mnist", ""})
      CHECK(folder_of_root(root) == fs::path(root));
  }
  const DataVariable variable("/scratch/sets");
  CHECK(folder_of_root("data/mnist") == "/scratch/sets/mnist");
  CHECK(folder_of_root("data/a/b") == "/scratch/sets/a/b");
  CHECK(folder_of_root("data").lexically_normal() == "/scratch/sets/");
  for (const char* const root : {"data2/mnist", "other/data/mnist", "/data/mnist", "mnist", ""})
    CHECK(folder_of_root(root) == fs::path(root));
}

TEST_CASE("the folder that LOCALBATCH_DATA names is read, and settings keep the text") {
  const ScratchFolder folder;
  fs::create_directory(folder.path() / "sets");
  const DataVariable variable(folder.path().c_str());
  const Node node = mapping({{"root", "data/sets"}});
  Options options(node);
  const fs::path root = read_root(options, "files");
  CHECK(root == folder.path() / "sets");
  CHECK(options.declarations().back().value == "data/sets");
  CHECK_NOTHROW(require_folder({.path = root, .files = "files"}));
  CHECK(refusal("cifar10", "data/sets") ==
        (folder.path() / "sets/data_batch_1.bin").string() + ": no such file");
}

TEST_CASE("a folder that is missing is refused with the path that was tried and what to do") {
  const DataVariable variable(nullptr);
  const std::string tried = (fs::current_path() / "no/such/place").string();
  CHECK(refusal("cifar10", "no/such/place") ==
        "dataset root '" + tried +
            "': no such folder, expected a folder with data_batch_1.bin .. data_batch_5.bin and "
            "test_batch.bin of cifar-10-binary.tar.gz ('data/fetch.sh cifar10' downloads them)");
  for (const char* const name : {"cifar100", "mnist", "fashion_mnist"})
    CHECK(contains(refusal(name, "no/such/place"), "'data/fetch.sh " + std::string(name) + "'"));
  CHECK(contains(refusal("imagenet", "no/such/place"), "(sources: data/README.md)"));
}
