#include "data/text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string_view>

#include "core/files.h"
#include "data/windows.h"
#include "fixtures.h"
#include "official_files.h"

using namespace localbatch;
namespace fs = std::filesystem;

namespace {

class TextFolder {
 public:
  void write(const std::string& name, std::string_view text) const {
    folder_.write(name, {text.begin(), text.end()});
  }
  const fs::path& path() const { return folder_.path(); }

  Keys keys(const Keys& more = {}) const {
    Keys keys{{"name", "text"}, {"root", folder_.path().string()}, {"sequence_length", "4"}};
    keys.insert(keys.end(), more.begin(), more.end());
    return keys;
  }
  std::string refusal(const Keys& more = {}) const {
    return input_error([&] { load(keys(more)); });
  }

 private:
  ScratchFolder folder_;
};

const std::pair<std::string, std::string> kCharacters{"vocabulary", "characters"};

}  // namespace

TEST_CASE("bytes are their own tokens") {
  const TextFolder folder;
  folder.write("train.txt", std::string("ab\0\xff\n", 5));
  folder.write("val.txt", "hello");
  const std::unique_ptr<Dataset> dataset = load(folder.keys());
  CHECK(dataset->sample_shape() == SampleShape{.input = TokenWindow{4}, .num_classes = 256});
  const Window window = training_window(*dataset, 1, {0, 0});
  CHECK(window.inputs == std::vector<std::int32_t>{'a', 'b', 0, 255});
  CHECK(window.targets == std::vector<std::int32_t>{'b', 0, 255, '\n'});
  CHECK(dataset->bytes_per_target() == 1);
  REQUIRE(dataset->alphabet() != nullptr);
  CHECK(dataset->alphabet()->decode(test_window(*dataset, 0).targets) == "ello");
  CHECK(dataset->unit() == "sequences");
}

TEST_CASE("characters are the distinct bytes of the training text, sorted") {
  const TextFolder folder;
  folder.write("train.txt", "cab bac\n");
  folder.write("val.txt", "abcab");
  const std::unique_ptr<Dataset> dataset = load(folder.keys({kCharacters}));
  CHECK(dataset->sample_shape().num_classes == 5);
  REQUIRE(dataset->alphabet() != nullptr);
  CHECK(dataset->alphabet()->bytes == std::vector<std::uint8_t>{'\n', ' ', 'a', 'b', 'c'});
  CHECK(test_window(*dataset, 0).inputs == std::vector<std::int32_t>{2, 3, 4, 2});
  CHECK(test_window(*dataset, 0).targets == std::vector<std::int32_t>{3, 4, 2, 3});
  CHECK(dataset_factory(folder.keys({kCharacters})).outline({})->sample_shape() ==
        dataset->sample_shape());
}

TEST_CASE("an alphabet reads what it writes and says which byte it lacks") {
  const Alphabet alphabet{.bytes = {'a', 'b', '\n'}};
  CHECK(alphabet.decode(alphabet.encode("ab\nba")) == "ab\nba");
  CHECK(alphabet.encode("\nb") == std::vector<std::int32_t>{2, 1});
  CHECK(input_error([&] { alphabet.encode("abc"); }) ==
        "byte 2: found 'c' (0x63), which is none of the 3 characters of the training text");
  CHECK(contains(input_error([&] { alphabet.encode("\x1b"); }), "byte 0: found 0x1b, which"));
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  CHECK(all_bytes().decode(all_bytes().encode(all)) == all);
}

TEST_CASE("a character of the test text that training lacks is named with file and place") {
  const TextFolder folder;
  folder.write("train.txt", "abcabc");
  folder.write("val.txt", "abcabz");
  CHECK(folder.refusal({kCharacters}) ==
        (folder.path() / "val.txt").string() +
            ": byte 5: found 'z' (0x7a), which is none of the 3 characters of the training text "
            "('vocabulary: bytes' has them all)");
  CHECK(folder.refusal() == "(no InputError)");
}

TEST_CASE("files of a text lie one behind the other, without those that are evaluated") {
  const TextFolder folder;
  folder.write("b.txt", "second");
  folder.write("a.txt", "first ");
  folder.write("c.txt", "third");
  const std::unique_ptr<Dataset> dataset =
      load(folder.keys({{"train", "*.txt"}, {"test", "c.txt"}}));
  const TokenText& text = dynamic_cast<const TokenWindows&>(*dataset).text();
  std::vector<std::int32_t> tokens(text.train.size());
  text.train.read(0, tokens);
  CHECK(text.alphabet->decode(tokens) == "first second");
}

TEST_CASE("missing, empty and short texts are refused by name") {
  const TextFolder folder;
  CHECK(contains(folder.refusal(), "train.txt: no such file"));
  folder.write("train.txt", "");
  CHECK(contains(folder.refusal(), "train.txt: found an empty file, expected a text"));
  folder.write("train.txt", "enough of it");
  CHECK(contains(folder.refusal(), "val.txt: no such file"));
  folder.write("val.txt", "enough of it");
  folder.write("train.txt", "four");
  CHECK(folder.refusal() == "dataset: found a training text of 4 tokens (" +
                                (folder.path() / "train.txt").string() +
                                "), expected at least 5: sequence_length + 1");
  folder.write("train.txt", "five!");
  CHECK(folder.refusal() == "(no InputError)");
}

TEST_CASE("a folder of tinyshakespeare that is not there can be fetched, others cannot") {
  const auto refusal = [](const std::string& root) {
    return input_error([&] { load({{"name", "text"}, {"root", root}, {"sequence_length", "4"}}); });
  };
  CHECK(contains(refusal("nowhere/tinyshakespeare"), "'data/fetch.sh tinyshakespeare' downloads"));
  CHECK(contains(refusal("nowhere/novels"), "(sources: data/README.md)"));
}

TEST_CASE("texts that differ in a byte have other checksums") {
  const TextFolder folder;
  folder.write("val.txt", "hello");
  const auto checksum_of = [&](std::string_view train) {
    folder.write("train.txt", train);
    return load(folder.keys())->checksum();
  };
  const std::uint64_t before = checksum_of("a training text");
  CHECK(checksum_of("a training text") == before);
  CHECK(checksum_of("a training tex") != before);
  CHECK(checksum_of("a training texs") != before);
}

TEST_CASE("Tiny Shakespeare has the published characters, in the published split") {
  const auto folder = official_files("tinyshakespeare", "input.txt");
  if (!folder) {
    MESSAGE(not_found("tinyshakespeare", "input.txt"));
    return;
  }
  const std::string text = read_text(*folder / "input.txt");
  REQUIRE(text.size() == 1'115'394);
  const TextFolder split;
  split.write("train.txt", std::string_view(text).substr(0, 1'003'854));
  split.write("val.txt", std::string_view(text).substr(1'003'854));
  Keys keys{
      {"name", "text"}, {"root", split.path().string()}, {"sequence_length", "64"}, kCharacters};
  const std::unique_ptr<Dataset> dataset = load(keys);
  CHECK(dataset->sample_shape().num_classes == 65);
  CHECK(dataset->train_size() == 15'684);
  CHECK(dataset->test_size() == 1'743);  // 111,539 targets
  const Alphabet& alphabet = *dataset->alphabet();
  CHECK(alphabet.decode(places<std::int32_t>(65)) ==
        "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
  CHECK(alphabet.decode(test_window(*dataset, 0).inputs) == text.substr(1'003'854, 64));
}

TEST_CASE("the English novels are read as bytes") {
  const auto folder = official_files("english-novels", "train.txt");
  if (!folder) {
    MESSAGE(not_found("english-novels", "train.txt"));
    return;
  }
  const std::unique_ptr<Dataset> dataset =
      load({{"name", "text"}, {"root", folder->string()}, {"sequence_length", "256"}});
  CHECK(dataset->train_size() == (60'007'265 - 256) / 256);
  CHECK(dataset->test_size() == (1'033'394 - 1 + 255) / 256);
  const Window window = training_window(*dataset, 1, {0, 7});
  CHECK(std::ranges::equal(std::span(window.inputs).subspan(1),
                           std::span(window.targets).first(255)));
}
