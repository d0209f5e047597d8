// The program as a person starts it: exit status, standard output and standard error.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "apps/program_fixture.h"
#include "experiment/experiment.h"

namespace localbatch {

namespace {

/// The words of a text with one space after each.
std::string single_spaced(const std::string& text) {
  std::istringstream stream(text);
  std::string words;
  for (std::string word; stream >> word;) words += word + " ";
  return words;
}

}  // namespace

TEST_CASE("help and version go to standard output with status 0") {
  const ProgramFixture program;
  for (const char* const arguments :
       {"--help", "-h", "run --help", "run -h", "describe --help", "doctor --help", "plan --help",
        "bench --help", "--version"}) {
    CAPTURE(arguments);
    const Finished finished = program.run(arguments);
    CHECK(finished.status == 0);
    CHECK(contains(finished.out, "localbatch"));
    CHECK(finished.errors.empty());
  }
  const std::string help = program.run("--help").out;
  for (const char* const part :
       {"run", "describe", "doctor", "plan", "bench", "exit status", "diverged"})
    CHECK(contains(help, part));
  for (const char* const part : {"--set", "--output", "--force"})
    CHECK(contains(program.run("run --help").out, part));
  for (const char* const part : {"--model", "--precision", "--strict", "mpirun"})
    CHECK(contains(program.run("bench --help").out, part));
}

TEST_CASE("no arguments: status 2 and how to use the program") {
  const ProgramFixture program;
  const Finished finished = program.run("");
  CHECK(finished.status == 2);
  CHECK(contains(finished.out, "usage:"));
}

TEST_CASE("mistakes in the command line are refused in one line") {
  const ProgramFixture program;
  check_refused(program, "rnu tiny.yaml", {"'rnu' is no command", "did you mean 'run'?"});
  check_refused(program, "--verbose", {"'--verbose' is no command"});
  check_refused(program, "run", {"an experiment file is missing"});
  check_refused(program, "run tiny.yaml --frce", {"frce"});
  check_refused(program, "run tiny.yaml other.yaml", {"run: "});
  check_refused(program, "run tiny.yaml --set", {"set"});
  check_refused(program, "run tiny.yaml --set workers", {"--set workers: expected key=value"});
  check_refused(program, "describe batch_size_controler",
                {"did you mean 'batch_size_controller'?"});
  check_refused(program, "describe model resnt", {"did you mean 'resnet'?"});
  check_refused(program, "describe model resnet depth", {"'depth' is one word too many"});
  check_refused(program, "describe rounds.csv loss", {"'loss' is one word too many"});
}

TEST_CASE("mistakes in the experiment are refused in one line") {
  const ProgramFixture program;
  check_refused(program, "run none.yaml", {"none.yaml"});
  check_refused(program, "run .", {"."});
  check_refused(program, "run tiny.yaml --set workrs=2",
                {"unknown key", "did you mean 'workers'?"});
  check_refused(program, "run tiny.yaml --set workers=two", {"found 'two', expected an integer"});
  check_refused(program, "run tiny.yaml --set workers=0", {"found 0, allowed is 1 .. 65536"});
  check_refused(program, "run tiny.yaml --set batch_size.initial=9", {"found 9", "1 .. 8"});
  std::ofstream(program.path("bad.yaml")) << "max_samples: 10\nworkers: [1\n";
  check_refused(program, "run bad.yaml", {"bad.yaml:3:1", "not valid YAML"});
  std::ofstream(program.path("key.yaml")) << text_of(program.path("tiny.yaml")) << "sede: 3\n";
  check_refused(program, "run key.yaml", {"key.yaml:9:1: sede: unknown key", "'seed'"});
}

TEST_CASE("a data file that is cut short, missing or no data is refused in one line") {
  const ProgramFixture program;
  const std::string set = "run tiny.yaml --set 'dataset={name: cifar10, root: cifar}'";
  check_refused(program, set, {"cifar", "no such folder"});
  fs::create_directory(program.path("cifar"));
  check_refused(program, set, {"data_batch_1.bin"});
  std::ofstream(program.path("cifar") / "data_batch_1.bin") << std::string(3073 * 10000 - 1, '\0');
  check_refused(program, set, {"data_batch_1.bin: found 30729999 bytes, expected 30730000"});
}

TEST_CASE("results that cannot be written are refused, and nothing else is touched") {
  const ProgramFixture program;
  std::ofstream(program.path("file")) << "notes";
  check_refused(program, "run tiny.yaml --output file", {"file/tiny/run-", "cannot be made"});
  CHECK(text_of(program.path("file")) == "notes");
  check_refused(program, "run tiny.yaml --output /dev/null", {"/dev/null/tiny/run-"});
  check_refused(program, "run tiny.yaml --output /proc", {"/proc/tiny", "cannot be made"});
}

TEST_CASE("a run prints plain text, writes its curves, and is not repeated over its results") {
  const ProgramFixture program;
  const Finished first = program.run("run tiny.yaml");
  CHECK(first.status == 0);
  CHECK(first.errors.empty());
  CHECK_FALSE(has_control_characters(first.out));
  CHECK(contains(first.out, "accuracy"));
  const fs::path folder = fs::directory_iterator(program.path("results/tiny"))->path();
  CHECK(contains(first.out, "results/tiny/" + folder.filename().string()));
  const std::string rounds = text_of(folder / "rounds.csv");
  CHECK(lines_of(rounds).size() > 4);

  const Finished second = program.run("run tiny.yaml");
  CHECK(second.status == 2);
  REQUIRE(second.errors.size() == 1);
  CHECK(contains(second.errors.front(), "holds results already; --force replaces them"));
  CHECK(text_of(folder / "rounds.csv") == rounds);

  CHECK(program.run("run tiny.yaml --force").status == 0);
  CHECK(text_of(folder / "rounds.csv") == rounds);
  CHECK(std::distance(fs::directory_iterator(program.path("results/tiny")), {}) == 1);
}

TEST_CASE("a run that diverges ends with status 3 and its curves are there") {
  const ProgramFixture program;
  const Finished finished = program.run(
      "run tiny.yaml --set learning_rate.peak=1e6 --set inner_optimizer.weight_decay=1 "
      "--set max_samples=10000");
  CHECK(finished.status == 3);
  CHECK(finished.errors.empty());
  CHECK(contains(finished.out, "diverged in round"));
  const fs::path folder = fs::directory_iterator(program.path("results/tiny"))->path();
  CHECK(contains(text_of(folder / "summary.json"), "diverged"));
}

// Several times: a launcher that sees a rank fail may end the one that has something to say.
TEST_CASE("mpirun: more ranks than workers are refused by one line") {
  for (int repetition = 0; repetition < 5; ++repetition) {
    const ProgramFixture program;
    const Finished finished = program.run("run tiny.yaml", LOCALBATCH_MPIRUN " 3");
    CHECK(finished.status == 2);
    CHECK(std::ranges::count_if(finished.errors, [](const std::string& line) {
            return line.starts_with("localbatch: 3 ranks were started for 2 workers");
          }) == 1);
    CHECK_FALSE(fs::exists(program.path("results")));
  }
}

TEST_CASE("mpirun: ranks that were started with different settings are refused by one line") {
  const ProgramFixture program;
  const auto refusal = [&](const std::string& first, const std::string& second) {
    const Finished finished =
        program.run("run tiny.yaml " + second,
                    std::string(LOCALBATCH_MPIRUN " 1 '" LOCALBATCH_PROGRAM "' run tiny.yaml ") +
                        first + " : -n 1");
    CHECK(finished.status == 2);
    CHECK_FALSE(fs::exists(program.path("results")));
    const auto ours = std::ranges::find_if(
        finished.errors, [](const std::string& line) { return line.starts_with("localbatch: "); });
    return ours == finished.errors.end() ? std::string() : *ours;
  };
  CHECK(refusal("--set seed=1", "--set seed=9") ==
        "localbatch: rank 1: seed: found '9', expected '1' as on rank 0");
  CHECK(contains(refusal("", "--force"), "rank 1: --force: found 'true'"));
  CHECK(contains(refusal("", "--cell 1"), "rank 1: --cell: found '1'"));
}

TEST_CASE("output that cannot be written ends with status 1, whatever the command") {
  const ProgramFixture program;
  for (const std::string command :
       {"--help", "--version", "describe", "run tiny.yaml", "doctor", "status tiny.yaml"}) {
    CAPTURE(command);
    // The redirection of the fixture comes last, so this one is a shell's inside.
    const int status =
        std::system(("cd '" + program.path("").string() + "' && '" LOCALBATCH_PROGRAM "' " +
                     command + " >/dev/full 2>/dev/null")
                        .c_str());
    CHECK(WEXITSTATUS(status) == 1);
  }
}

TEST_CASE("mpirun: two ranks print once, without control characters, and end with status 0") {
  const ProgramFixture program;
  const Finished finished = program.run("run tiny.yaml", LOCALBATCH_MPIRUN " 2");
  CHECK(finished.status == 0);
  CHECK(contains(finished.out, "2 workers of 1 thread on 2 ranks"));
  CHECK_FALSE(has_control_characters(finished.out));  // mpirun gives each rank a terminal
  const std::vector<std::string> lines = lines_of(finished.out);
  CHECK(std::ranges::count_if(
            lines, [](const std::string& line) { return line.starts_with("curves in "); }) == 1);
}

TEST_CASE("mpirun: a run that diverges says so and ends with status 3") {
  for (int repetition = 0; repetition < 3; ++repetition) {
    const ProgramFixture program;
    const Finished finished = program.run(
        "run tiny.yaml --set learning_rate.peak=1e6 --set inner_optimizer.weight_decay=1 "
        "--set max_samples=10000",
        LOCALBATCH_MPIRUN " 2");
    CHECK(finished.status == 3);
    CHECK(contains(finished.out, "diverged in round"));
  }
}

/// That `describe` with these arguments says all these things, and returns all that it says.
std::string described(const ProgramFixture& program, const std::string& arguments,
                      const std::vector<std::string>& parts) {
  const Finished finished = program.run("describe " + arguments);
  CAPTURE(arguments);
  CHECK(finished.status == 0);
  CHECK(finished.errors.empty());
  CHECK_FALSE(has_control_characters(finished.out));
  for (const std::string& part : parts) CHECK_MESSAGE(contains(finished.out, part), part);
  return finished.out;
}

TEST_CASE("describe shows parts, their keys and the columns of the curves") {
  const ProgramFixture program;
  const auto shows = [&](const std::string& arguments, const std::vector<std::string>& parts) {
    described(program, arguments, parts);
  };
  shows("", {"batch_size_controller", "norm_test | inner_product_test", "max_samples"});
  shows("batch_size_controller", {"growth_limit", "norm_test", "eta", "theta"});
  shows("batch_size_controller norm_test", {"growth_limit", "eta", "0.001 .. 1000"});
  CHECK_FALSE(contains(program.run("describe batch_size_controller norm_test").out, "theta"));
  shows("all", {"hidden_features", "momentum", "every_samples", "post_local"});
  shows("dataset.partition", {"partition: dirichlet: ", "alpha", "shards_per_worker"});
  CHECK_FALSE(
      contains(program.run("describe dataset.partition dirichlet").out, "shards_per_worker"));
  shows("rounds.csv", {"global_batch_size", "[samples]", "M b"});
  shows("evaluations.csv", {"test_accuracy"});
  shows("timing.csv", {"gradient_seconds", "[s]"});
}

TEST_CASE("describe finds a name, a key or a column wherever it belongs") {
  const ProgramFixture program;
  described(program, "norm_test", {"batch_size_controller:\n", "name: norm_test: ", "formula: "});
  described(program, "eta", {"batch_size_controller, norm_test:", "0.001 .. 1000"});
  described(program, "batch_size.max", {"batch_size:", "largest local batch size"});
  described(program, "drift", {"rounds.csv:"});
  check_refused(program, "describe norm_tset",
                {"is no part, name, key or column", "did you mean 'norm_test'?"});
  check_refused(program, "describe norm_tset eta", {"'norm_tset' is no part"});
}

TEST_CASE("describe shows the network of an experiment and what computes its convolutions") {
  const ProgramFixture program;
  described(program, "tiny.yaml", {"no convolutions"});
  const std::string resnet = "tiny.yaml --set model='{name: resnet}' --set convolution=";
  described(program, resnet + "winograd",
            {"272474 parameters", "convolution: winograd",
             "layer1.0.conv1         16x32x32 -> 16, 3x3/1  ", "winograd\n"});
  const std::string direct =
      described(program, resnet + "direct", {"convolution: direct", "3x3/1"});
  CHECK_FALSE(contains(direct, "winograd"));
  described(program, resnet + "auto --set precision=bf16", {"bf16, convolution: auto"});
  std::ofstream(program.path("sweep.yaml"))
      << text_of(program.path("tiny.yaml")) << "sweep: {sync_interval.H: [1, 2]}\n";
  described(program, "sweep.yaml --cell 2", {"cell 2 (H=2): ", "no convolutions"});
  std::ofstream(program.path("problem.yaml"))
      << "max_samples: 8\nproblem: {name: quadratic}\nlearning_rate: {peak: 0.1}\n";
  described(program, "problem.yaml", {"a problem, without a network"});
  check_refused(program, "describe sweep.yaml --cell 3", {"--cell: found 3"});
  check_refused(program, "describe none.yaml", {"none.yaml"});
  check_refused(program, "describe tiny.yaml --set dataset='{name: cifar10, root: nowhere}'",
                {"nowhere"});
}

TEST_CASE("describe --resolved prints the experiment.yaml that a run of a cell writes") {
  const ProgramFixture program;
  std::ofstream(program.path("sweep.yaml"))
      << text_of(program.path("tiny.yaml")) << "sweep: {sync_interval.H: [1, 2]}\n";
  const std::string arguments = "sweep.yaml --cell 2 --set seed=7";
  const std::string resolved = described(program, arguments + " --resolved", {"seed: 7", "H: 2"});
  REQUIRE(program.run("run " + arguments).status == 0);
  for (const auto& folder : fs::directory_iterator(program.path("results/tiny")))
    CHECK(text_of(folder.path() / "experiment.yaml") == resolved);
  std::ofstream(program.path("again.yaml")) << resolved;
  CHECK(program.run("describe again.yaml --resolved").out == resolved);
}

TEST_CASE("describe --resolved refuses what a run would refuse, and words that are no file") {
  const ProgramFixture program;
  check_refused(program, "describe tiny.yaml --resolved --set sed=1", {"did you mean 'seed'?"});
  check_refused(program, "describe tiny.yaml --resolved --cell 2", {"--cell: found 2"});
  check_refused(program, "describe tiny.yaml --resolved --set batch_size.initial=9", {"1 .. 8"});
  check_refused(program, "describe norm_test --resolved", {"--resolved: found without a FILE"});
  check_refused(program, "describe norm_test --set seed=1", {"--set: found without a FILE"});
  check_refused(program, "describe tiny.yaml eta", {"'eta' is one word too many"});
}

TEST_CASE("describe shows the formula and the source of every method, in lines of 100 columns") {
  const ProgramFixture program;
  const std::string all = program.run("describe all").out;
  for (const std::string& line : lines_of(all)) CHECK_MESSAGE(line.size() <= 100, line);
  const std::string words = single_spaced(all);
  for (const PartDescription& description : describe_parts()) {
    CAPTURE(description.part);
    CAPTURE(description.name);
    CHECK(contains(words, single_spaced(description.summary)));
    if (!description.formula.empty())
      CHECK(contains(words, " formula: " + single_spaced(description.formula)));
    if (!description.source.empty())
      CHECK(contains(words, " source: " + single_spaced(description.source)));
  }
}

}  // namespace localbatch
