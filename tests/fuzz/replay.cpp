#include <cstdio>
#include <filesystem>
#include <set>

#include "core/files.h"
#include "fuzz/fuzz_target.h"

/// Gives every file of the folders named on the command line to a fuzz target: for compilers
/// without libFuzzer. A folder may be absent, but not all of them.
int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  std::set<fs::path> inputs;
  for (int i = 1; i < argc; ++i)
    if (fs::is_directory(argv[i]))
      for (const auto& entry : fs::directory_iterator(argv[i])) inputs.insert(entry.path());
  for (const fs::path& input : inputs) {
    fmt::print(stderr, "{}\n", input.string());  // the last one is the culprit
    const std::vector<unsigned char> bytes = localbatch::read_file(input);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  fmt::print(stderr, "{} inputs\n", inputs.size());
  return inputs.empty() ? 1 : 0;
}
