// 'localbatch generate' as a person starts it.

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "apps/program_fixture.h"

namespace localbatch {

namespace {

const char* const kLlama =
    "experiment: letters\nworkers: 2\nmax_samples: 200\n"
    "dataset: {name: generated_text, sequence_length: 16, symbols: 8, train_tokens: 4000, "
    "test_tokens: 400}\n"
    "model: {name: llama, layers: 1, width: 16, heads: 2, key_value_heads: 1}\n"
    "inner_optimizer: {name: adamw}\nlearning_rate: {peak: 0.01}\nbatch_size: {initial: 4}\n";

/// The folder of the only run of the experiment.
fs::path trained(const ProgramFixture& program, const std::string& experiment,
                 const std::string& options = {}) {
  std::ofstream(program.path("letters.yaml")) << experiment;
  REQUIRE(program.run("run letters.yaml --output trained " + options).status == 0);
  return fs::directory_iterator(program.path("trained/letters"))->path();
}

/// What is printed, without the newline at its end.
std::string generated(const ProgramFixture& program, const std::string& options) {
  const Finished finished = program.run("generate trained " + options);
  CAPTURE(options);
  CHECK(finished.status == 0);
  CHECK(finished.errors.empty());
  REQUIRE(finished.out.ends_with('\n'));
  return finished.out.substr(0, finished.out.size() - 1);
}

}  // namespace

TEST_CASE("generate prints the prompt and as many letters as are asked for") {
  const ProgramFixture program;
  static_cast<void>(trained(program, kLlama));
  const std::string text = generated(program, "--prompt hag --tokens 40");
  CHECK(text.starts_with("hag"));
  CHECK(text.size() == 43);
  CHECK(text.find_first_not_of("abcdefgh") == std::string::npos);
  const std::string usual = generated(program, "");
  CHECK(usual.size() == 201);
  CHECK(usual.front() == 'a');  // token 0, as this text has no lines
}

TEST_CASE("generate refuses the characters of another text than the run's") {
  const ProgramFixture program;
  const auto write = [&program](const std::string& letters) {
    std::ofstream text(program.path("train.txt"));
    for (int i = 0; i < 200; ++i) text << letters;
    std::ofstream(program.path("val.txt")) << letters << letters << letters << letters;
  };
  write("abcdefgh");
  static_cast<void>(trained(program,
                            "experiment: letters\nworkers: 1\nmax_samples: 16\n"
                            "dataset: {name: text, root: ., vocabulary: characters, "
                            "sequence_length: 8}\n"
                            "model: {name: gpt, layers: 1, width: 16, heads: 2}\n"
                            "learning_rate: {peak: 0.01}\nbatch_size: {initial: 4}\n"));
  CHECK(generated(program, "--prompt abc --tokens 5").size() == 8);
  write("abcdefgx");
  const Finished refused = program.run("generate trained --prompt abc");
  REQUIRE(refused.status == 2);
  CHECK(contains(refused.errors.front(), "its tokens are the characters of its text"));
}

TEST_CASE("generate writes the same text for the same seed and another one for another seed") {
  const ProgramFixture program;
  static_cast<void>(trained(program, kLlama));
  const std::string text = generated(program, "--tokens 60");
  CHECK(generated(program, "--tokens 60 --seed 1") == text);
  CHECK(generated(program, "--tokens 60 --seed 2") != text);
  CHECK(generated(program, "--tokens 60 --temperature 100") != text);
  const std::string likely = generated(program, "--tokens 60 --temperature 0");
  CHECK(generated(program, "--tokens 60 --temperature 0 --seed 2") == likely);
}

TEST_CASE("generate shows that a model has learned which letter follows which") {
  // Order 1: what follows a letter most often is the same letter everywhere, so a greedy
  // continuation walks through a cycle, and not through one letter.
  const ProgramFixture program;
  static_cast<void>(trained(program, kLlama, "--set max_samples=6000 --set sync_interval.H=4"));
  std::set<std::string> pairs;
  std::set<char> letters;
  const std::string likely = generated(program, "--tokens 60 --temperature 0");
  for (std::size_t i = 0; i + 1 < likely.size(); ++i) {
    pairs.insert(likely.substr(i, 2));
    letters.insert(likely[i]);
  }
  CHECK(pairs.size() == letters.size());
}

TEST_CASE("generate keeps lines, and begins with one where the text has them") {
  const ProgramFixture program;
  std::string text;
  for (int i = 0; i < 300; ++i) text += "ab\xc3\xa9\n";
  std::ofstream(program.path("train.txt")) << text;
  std::ofstream(program.path("val.txt")) << text;
  for (const char* const vocabulary : {"bytes", "characters"}) {
    CAPTURE(vocabulary);
    const std::string experiment =
        std::string(
            "experiment: letters\nmax_samples: 1500\n"
            "dataset: {name: text, root: ., sequence_length: 8, vocabulary: ") +
        vocabulary +
        "}\nmodel: {name: gpt, layers: 1, width: 16, heads: 2}\ninner_optimizer: {name: adamw}\n"
        "learning_rate: {peak: 0.01}\nbatch_size: {initial: 4}\n";
    static_cast<void>(trained(program, experiment));
    CHECK(generated(program, "--tokens 12 --temperature 0") == "\nab\u00e9\nab\u00e9\nab");
    CHECK(generated(program, "--tokens 5 --temperature 0 --prompt b") == "b\u00e9\nab");
    fs::remove_all(program.path("trained"));
  }
}

TEST_CASE("generate prints numbers where tokens are not bytes") {
  const ProgramFixture program;
  std::string tokens;
  for (int i = 0; i < 600; ++i) tokens += std::string{static_cast<char>(i % 3), 1};  // 256 ..
  for (const char* const name : {"train.bin", "test.bin"})
    std::ofstream(program.path(name), std::ios::binary) << tokens;
  static_cast<void>(trained(
      program,
      "experiment: letters\nmax_samples: 1000\n"
      "dataset: {name: tokens, root: ., train: train.bin, test: test.bin, format: raw_u16, "
      "vocabulary_size: 300, sequence_length: 8}\n"
      "model: {name: llama, layers: 1, width: 16, heads: 2, key_value_heads: 1}\n"
      "inner_optimizer: {name: adamw}\nlearning_rate: {peak: 0.01}\nbatch_size: {initial: 4}\n"));
  CHECK(generated(program, "--tokens 4 --temperature 0 --prompt '258 256'") ==
        "258 256 257 258 256 257");
  CHECK(generated(program, "--tokens 4").starts_with("0 "));
  check_refused(program, "generate trained --prompt '257 300'",
                {"--prompt: word 2: found '300'", "0 .. 299"});
  check_refused(program, "generate trained --prompt Hello", {"word 1: found 'Hello'"});
}

TEST_CASE("generate refuses options and prompts that it cannot use") {
  const ProgramFixture program;
  static_cast<void>(trained(program, kLlama));
  check_refused(program, "generate", {"the folder of a run is missing"});
  check_refused(program, "generate nowhere", {"nowhere: holds 0 runs"});
  for (const char* const tokens : {"0", "-1", "1000001"})
    check_refused(program, std::string("generate trained --tokens=") + tokens,
                  {"--tokens: found " + std::string(tokens), "1 .. 1000000"});
  check_refused(program, "generate trained --tokens many", {"tokens"});
  for (const char* const temperature : {"-0.1", "nan", "101"})
    check_refused(program, std::string("generate trained --temperature=") + temperature,
                  {"--temperature: found", "0 .. 100"});
  check_refused(program, "generate trained --seed=-1", {"--seed: found -1"});
  check_refused(program, "generate trained --prompt abXc",
                {"generate: --prompt: byte 2: found 'X' (0x58)"});
  check_refused(program, "generate trained --prompt ''", {"--prompt"});
}

TEST_CASE("generate refuses runs that have no finished model of a text") {
  const ProgramFixture program;
  const fs::path run = trained(program, kLlama);
  const auto refused = [&](const std::vector<std::string>& parts) {
    check_refused(program, "generate trained", parts);
  };
  const auto with_file = [&](const char* name, const std::string& text, const auto& look) {
    const std::string before = text_of(run / name);
    std::ofstream(run / name, std::ios::binary) << text;
    look();
    std::ofstream(run / name, std::ios::binary) << before;
  };
  const std::string values = text_of(run / "final_parameters.f32");
  with_file("final_parameters.f32", values.substr(4), [&] {
    refused({"final_parameters.f32: found", "bytes, expected"});
  });
  const std::string infinite(values.size(), '\xff');
  with_file("final_parameters.f32", infinite, [&] { refused({"not finite"}); });
  std::string index = text_of(run / "final_parameters.csv");
  index.replace(index.find("norm"), 4, "none");
  with_file("final_parameters.csv", index, [&] {
    refused({"final_parameters.csv: line 3: found", "expected"});
  });
  with_file("summary.json", R"({"outcome": "diverged"})", [&] { refused({"has diverged"}); });
  CHECK(program.run("generate trained").status == 0);

  fs::remove(run / "final_parameters.f32");
  refused({"final_parameters.f32: no such file"});
  fs::remove(run / "summary.json");
  std::string settings = text_of(run / "experiment.yaml");
  settings.replace(settings.find("max_samples: 200"), 16, "max_samples: 800");
  std::ofstream(run / "experiment.yaml") << settings;
  refused({"has not ended, 25 % of its samples are done"});
  std::ofstream(run / "failure.txt") << "the disk is full\n";
  refused({"has not ended", "(the disk is full)"});
}

TEST_CASE("generate refuses a run on images and one without a network") {
  const ProgramFixture program;
  REQUIRE(program.run("run tiny.yaml --output images").status == 0);
  check_refused(program, "generate images", {"trains no model of a text", "llama or gpt"});
  std::ofstream(program.path("problem.yaml"))
      << "experiment: tiny\nworkers: 2\nmax_samples: 64\nproblem: {name: quadratic}\n"
         "learning_rate: {peak: 0.01}\n";
  REQUIRE(program.run("run problem.yaml --output problems").status == 0);
  check_refused(program, "generate problems", {"trains no model of a text"});
}

}  // namespace localbatch
