// Experiments on text, as far as their data: keys, files and refusals.

#include "apps/program_fixture.h"

namespace localbatch {

namespace {

class TextDesk : public ProgramFixture {
 public:
  TextDesk() {
    fs::create_directory(path("novels"));
    write("novels/train.txt", std::string(400, 'a') + "bc");
    write("novels/val.txt", "abcabcabcd");
    write("novels/train.bin", std::string(200, '\1'));
    write("novels/val.bin", std::string(40, '\0'));
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }

  /// An experiment on a data set.
  std::string file(const std::string& dataset, const std::string& more = {}) const {
    write("text.yaml",
          "experiment: text\nmax_samples: 64\nlearning_rate: {peak: 0.1}\nworkers: 2\n"
          "batch_size: {initial: 4}\ndataset: {" +
              dataset + "}\n" + more);
    return "text.yaml";
  }
};

const std::string kNovels = "name: text, root: novels, sequence_length: 8";
const std::string kTokens =
    "name: tokens, root: novels, train: train.bin, test: val.bin, vocabulary_size: 300, "
    "sequence_length: 8";

}  // namespace

TEST_CASE("the keys of texts are resolved, and the record is read again") {
  const TextDesk program;
  for (const std::string& dataset :
       {kNovels + ", vocabulary: characters", kTokens + ", format: raw_u16, windows: random",
        std::string("name: generated_text, sequence_length: 8, partition: shards")}) {
    const Finished resolved = program.run("describe " + program.file(dataset) + " --resolved");
    CAPTURE(dataset);
    REQUIRE(resolved.status == 0);
    for (const char* const key : {"sequence_length: 8", "windows: ", "partition: "})
      CHECK_MESSAGE(contains(resolved.out, key), key);
    program.write("again.yaml", resolved.out);
    CHECK(program.run("describe again.yaml --resolved").out == resolved.out);
  }
}

TEST_CASE("what is wrong with the keys of a text is one line with its place") {
  const TextDesk program;
  const auto refuses = [&](const std::string& dataset, const std::vector<std::string>& parts,
                           const std::string& more = {}) {
    check_refused(program, "run " + program.file(dataset, more), parts);
  };
  refuses("name: txt, root: novels", {"text.yaml:6", "(did you mean 'text'?)"});
  refuses("name: text, root: novels", {"text.yaml:6", "dataset.sequence_length: missing"});
  refuses(kNovels + ", window: random", {"text.yaml:6", "(did you mean 'windows'?)"});
  refuses(kNovels + ", windows: all", {"text.yaml:6", "allowed is disjoint | random"});
  refuses(kNovels + ", vocabulary: words", {"text.yaml:6", "allowed is bytes | characters"});
  refuses(kNovels + ", partition: dirichlet", {"text.yaml:6", "allowed is iid | shards"});
  refuses(kNovels + ", windows: random, partition: shards",
          {"text.yaml:6", "dataset.windows: found 'random'"});
  refuses("name: tokens, root: novels, train: train.bin, test: val.bin, sequence_length: 8",
          {"text.yaml:6", "dataset.vocabulary_size: missing"});
  refuses(kTokens + ", format: raw", {"text.yaml:6", "raw_u16"});
  refuses("name: generated_text, sequence_length: 8, symbols: 96", {"text.yaml:6", "2 .. 95"});
}

TEST_CASE(
    "what is wrong with the files of a text is one line with the file, before anything runs") {
  const TextDesk program;
  const auto refuses = [&](const std::string& dataset, const std::vector<std::string>& parts,
                           const std::string& more = {}) {
    check_refused(program, "run " + program.file(dataset, more), parts);
  };
  refuses(kNovels + ", train: '*.md'", {"novels: holds no file with a name like '*.md'"});
  refuses(kNovels + ", vocabulary: characters", {"novels/val.txt: byte 9: found 'd' (0x64)"});
  refuses(kTokens, {"novels/train.bin: found neither the magic number", "'format: raw_u16'"});
  refuses(kTokens + ", format: llm_c", {"novels/train.bin: found 200 bytes, expected an llm.c"});
  refuses(kTokens + ", format: megatron", {"novels/train.idx: no such file"});
  program.write("novels/val.bin", std::string(40, '\2'));
  refuses(kTokens + ", format: raw_u16",
          {"novels/val.bin: token 0: found 514, allowed is 0 .. 299 (vocabulary_size: 300)"});
  refuses("name: text, root: nowhere, sequence_length: 8", {"no such folder"});
  refuses(kNovels, {"augmentation.flip: found true, which is for images"},
          "augmentation: {flip: true}\n");
  refuses("name: text, root: novels, sequence_length: 500", {"expected at least 501"});
  refuses(kNovels, {"model: found one that is for images"}, "model: {name: resnet}\n");
}

TEST_CASE("problems on images take no text") {
  const TextDesk program;
  program.write("problem.yaml",
                "max_samples: 64\nproblem: {name: logistic_regression}\nlearning_rate: {peak: "
                "0.1}\ndataset: {" +
                    kNovels + "}\n");
  check_refused(program, "run problem.yaml",
                {"dataset: found sequences, allowed for a problem are images in memory"});
}

}  // namespace localbatch
