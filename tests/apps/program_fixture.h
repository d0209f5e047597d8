#pragma once

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "data/fixtures.h"

namespace localbatch {

namespace fs = std::filesystem;

struct Finished {
  int status = -1;
  std::string out;
  std::vector<std::string> errors;  ///< lines of standard error
};

inline std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// A folder with a small experiment, and the shell that runs the program in it.
class ProgramFixture {
 public:
  ProgramFixture() {
    std::ofstream(folder_.path() / "tiny.yaml")
        << "experiment: tiny\nworkers: 2\nmax_samples: 64\n"
           "dataset: {name: synthetic, train_samples: 40, test_samples: 20}\n"
           "model: {name: softmax_regression}\nlearning_rate: {peak: 0.01}\n"
           "batch_size: {initial: 4, max: 8}\nbatch_size_controller: {name: norm_test}\n";
  }

  fs::path path(const std::string& name) const { return folder_.path() / name; }

  /// `arguments` as a shell reads them; `launcher` stands before the program.
  Finished run(const std::string& arguments, const std::string& launcher = {}) const {
    const std::string command = "cd '" + folder_.path().string() + "' && " + launcher + " '" +
                                LOCALBATCH_PROGRAM + "' " + arguments + " >stdout 2>stderr";
    const int status = std::system(command.c_str());
    return {.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            .out = text_of(path("stdout")),
            .errors = lines_of(text_of(path("stderr")))};
  }

 private:
  ScratchFolder folder_;
};

/// A refusal: status 2, one line of ours that contains `parts`; there may be results already.
inline void check_refused_beside(const ProgramFixture& program, const std::string& arguments,
                                 const std::vector<std::string>& parts) {
  const Finished finished = program.run(arguments);
  CAPTURE(arguments);
  CHECK(finished.status == 2);
  CHECK(finished.out.empty());
  REQUIRE(finished.errors.size() == 1);
  CHECK(finished.errors.front().starts_with("localbatch: "));
  for (const std::string& part : parts)
    CHECK_MESSAGE(contains(finished.errors.front(), part), finished.errors.front());
}

/// The same, and no results.
inline void check_refused(const ProgramFixture& program, const std::string& arguments,
                          const std::vector<std::string>& parts) {
  check_refused_beside(program, arguments, parts);
  CHECK_FALSE(fs::exists(program.path("results")));
}

inline bool has_control_characters(const std::string& text) {
  return std::ranges::any_of(text, [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f;
  });
}

}  // namespace localbatch
