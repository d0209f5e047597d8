#include "data/token_files.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstring>

#include "data/token_formats.h"
#include "data/windows.h"
#include "fixtures.h"

using namespace localbatch;
namespace fs = std::filesystem;

namespace {

using Bytes = std::vector<unsigned char>;

template <class Number>
void append(Bytes& bytes, Number number) {
  const std::size_t end = bytes.size();
  bytes.resize(end + sizeof number);
  std::memcpy(bytes.data() + end, &number, sizeof number);
}

template <class Word>
Bytes bare(const std::vector<Word>& tokens) {
  Bytes bytes;
  for (const Word token : tokens) append(bytes, token);
  return bytes;
}

/// A shard of llm.c: the first words of its header, then tokens.
template <class Word>
Bytes llm_c(std::uint32_t magic, std::uint32_t version, std::uint32_t count,
            const std::vector<Word>& tokens) {
  Bytes bytes;
  for (const std::uint32_t word : {magic, version, count}) append(bytes, word);
  bytes.resize(1024);
  for (const Word token : tokens) append(bytes, token);
  return bytes;
}

Bytes version_1(const std::vector<std::uint16_t>& tokens) {
  return llm_c(20240520, 1, static_cast<std::uint32_t>(tokens.size()), tokens);
}

Bytes version_7(const std::vector<std::uint32_t>& tokens) {
  return llm_c(20240801, 7, static_cast<std::uint32_t>(tokens.size()), tokens);
}

struct MegatronIndex {
  std::string magic{"MMIDIDX\0\0", 9};
  std::uint64_t version = 1;
  std::uint8_t type = 8;
  std::vector<std::int32_t> lengths;
  std::vector<std::int64_t> pointers, documents;
  std::optional<std::uint64_t> sequences = {}, num_documents = {};  ///< other than there are

  Bytes bytes() const {
    Bytes bytes(magic.begin(), magic.end());
    append(bytes, version);
    append(bytes, type);
    append(bytes, sequences.value_or(lengths.size()));
    append(bytes, num_documents.value_or(documents.size()));
    for (const std::int32_t length : lengths) append(bytes, length);
    for (const std::int64_t pointer : pointers) append(bytes, pointer);
    for (const std::int64_t document : documents) append(bytes, document);
    return bytes;
  }
};

/// Ten tokens in three sequences, of which one is empty, and two documents.
MegatronIndex ten_tokens(std::uint8_t type, int width) {
  return {.type = type,
          .lengths = {4, 0, 6},
          .pointers = {0, 4 * width, 4 * width},
          .documents = {0, 2, 3}};
}

/// A folder of files of tokens, and the data set that reads them.
class TokenFolder {
 public:
  void write(const std::string& name, const Bytes& bytes) const { folder_.write(name, bytes); }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  const fs::path& folder() const { return folder_.path(); }

  DatasetFactory factory(const std::string& train, const std::string& test,
                         const std::string& format = "auto") const {
    return dataset_factory({{"name", "tokens"},
                            {"root", folder_.path().string()},
                            {"train", train},
                            {"test", test},
                            {"format", format},
                            {"vocabulary_size", "100000"},
                            {"sequence_length", "3"}});
  }
  std::unique_ptr<Dataset> load(const std::string& train, const std::string& test,
                                const std::string& format = "auto") const {
    return factory(train, test, format).load({});
  }
  std::string refusal(const std::string& train, const std::string& test = "val.bin",
                      const std::string& format = "auto") const {
    return input_error([&] { load(train, test, format); });
  }

 private:
  ScratchFolder folder_;
};

std::vector<std::int32_t> training_tokens(const Dataset& dataset) {
  const TokenStream& stream = dynamic_cast<const TokenWindows&>(dataset).text().train;
  std::vector<std::int32_t> tokens(stream.size());
  stream.read(0, tokens);
  return tokens;
}

}  // namespace

TEST_CASE("the same tokens are read from every format") {
  const TokenFolder folder;
  folder.write("val.bin", version_1(places<std::uint16_t>(5)));
  folder.write("llm1.bin", version_1(places<std::uint16_t>(10)));
  folder.write("llm7.bin", version_7(places<std::uint32_t>(10)));
  folder.write("raw.bin", bare(places<std::uint16_t>(10)));
  folder.write("m1.bin", bare(places<std::uint8_t>(10)));
  folder.write("m1.idx", ten_tokens(1, 1).bytes());
  folder.write("m4.bin", bare(places<std::uint32_t>(10)));
  folder.write("m4.idx", ten_tokens(4, 4).bytes());
  folder.write("m8.bin", bare(places<std::uint16_t>(10)));
  folder.write("m8.idx", ten_tokens(8, 2).bytes());
  for (const auto& row : {std::pair{"llm1.bin", "auto"},
                          {"llm1.bin", "llm_c"},
                          {"llm7.bin", "auto"},
                          {"llm7.bin", "llm_c"},
                          {"m1.bin", "auto"},
                          {"m4.bin", "auto"},
                          {"m8.bin", "auto"}})
    CHECK_MESSAGE(
        training_tokens(*folder.load(row.first, "val.bin", row.second)) == places<std::int32_t>(10),
        row.first);
  CHECK(training_tokens(*folder.load("m8.bin", "m4.bin", "megatron")) == places<std::int32_t>(10));
  folder.write("rawval.bin", bare(places<std::uint16_t>(5)));
  CHECK(training_tokens(*folder.load("raw.bin", "rawval.bin", "raw_u16")) ==
        places<std::int32_t>(10));
  CHECK(folder.load("llm1.bin", "val.bin")->checksum() ==
        folder.load("m4.bin", "val.bin")->checksum());
}

TEST_CASE("tokens wider than 16 bits come out whole") {
  const TokenFolder folder;
  folder.write("val.bin", version_7(places<std::uint32_t>(5, 99'990)));
  folder.write("train.bin", version_7(places<std::uint32_t>(20, 65'530)));
  const std::unique_ptr<Dataset> dataset = folder.load("train.bin", "val.bin");
  CHECK(training_tokens(*dataset) == places<std::int32_t>(20, 65'530));
  CHECK(test_window(*dataset, 0).inputs == places<std::int32_t>(3, 99'990));
}

TEST_CASE(
    "shards lie one behind the other in the order of their names, without those of the test") {
  const TokenFolder folder;
  folder.write("part_10.bin", version_1(places<std::uint16_t>(5, 10)));
  folder.write("part_02.bin", version_1(places<std::uint16_t>(10)));
  folder.write("part_20.bin", version_7(places<std::uint32_t>(5, 15)));
  folder.write("part_00.bin", version_1(places<std::uint16_t>(5, 500)));
  folder.write(".part_01.bin", {});
  folder.write("other.bin", {});
  fs::create_directory(folder.folder() / "part_.bin");
  const std::unique_ptr<Dataset> dataset = folder.load("part_*.bin", "part_00.bin");
  CHECK(training_tokens(*dataset) == places<std::int32_t>(20));
  CHECK(test_window(*dataset, 0).inputs == places<std::int32_t>(3, 500));
  CHECK(training_tokens(*folder.load("part_[12]0.bin", "part_0?.bin")) ==
        places<std::int32_t>(10, 10));
}

TEST_CASE("patterns reach into folders, and a file of that very name is meant where there is one") {
  const TokenFolder folder;
  fs::create_directory(folder.folder() / "shards");
  folder.write("shards/a.bin", version_1(places<std::uint16_t>(5)));
  folder.write("shards/b.bin", version_1(places<std::uint16_t>(5, 5)));
  folder.write("[a].bin", version_1(places<std::uint16_t>(7, 90)));
  folder.write("a.bin", version_1(places<std::uint16_t>(9)));
  CHECK(training_tokens(*folder.load("shards/*.bin", "a.bin")) == places<std::int32_t>(10));
  CHECK(training_tokens(*folder.load("[a].bin", "a.bin")) == places<std::int32_t>(7, 90));
}

TEST_CASE("files that are not there are named with their folder") {
  const TokenFolder folder;
  folder.write("val.bin", version_1(places<std::uint16_t>(5)));
  CHECK(folder.refusal("train.bin") == folder.path("train.bin") + ": no such file");
  CHECK(folder.refusal("train_*.bin") ==
        folder.folder().string() + ": holds no file with a name like 'train_*.bin'");
  CHECK(contains(folder.refusal("no/such/*.bin"), folder.path("no/such") + ": cannot be read: "));
  CHECK(folder.refusal("*.bin") == "dataset.train: '*.bin' names no file in " +
                                       folder.folder().string() +
                                       " that is not of the test text ('val.bin')");
}

TEST_CASE("a shard of llm.c whose header is wrong is refused with what was found") {
  const TokenFolder folder;
  folder.write("val.bin", version_1(places<std::uint16_t>(5)));
  const auto refusal = [&](const Bytes& bytes) {
    folder.write("train.bin", bytes);
    const std::string text = folder.refusal("train.bin", "val.bin", "llm_c");
    CHECK(text.starts_with(folder.path("train.bin") + ": "));
    return text.substr(folder.path("train.bin").size() + 2);
  };
  const std::vector<std::uint16_t> four{1, 2, 3, 4};
  CHECK(refusal({}) == "found 0 bytes, expected an llm.c header of 1024");
  CHECK(refusal(Bytes(1023)) == "found 1023 bytes, expected an llm.c header of 1024");
  CHECK(refusal(llm_c(20240522, 1, 4, four)) ==
        "found magic number 20240522, expected one of llm.c's: 20240520 or 20240801");
  CHECK(refusal(llm_c(20240520, 7, 4, four)) ==
        "found version 7, expected 1 behind the magic number 20240520");
  CHECK(refusal(llm_c(20240801, 1, 4, four)) ==
        "found version 1, expected 7 behind the magic number 20240801");
  CHECK(refusal(llm_c(20240520, 1, 0, four)) == "found 0 tokens, expected at least 1");
  CHECK(refusal(llm_c(20240520, 1, 5, four)) ==
        "found 1032 bytes, expected 1034: a header of 1024 and 5 tokens of 2");
  CHECK(refusal(llm_c(20240801, 7, 0xFFFFFFFF, four)) ==
        "found 1032 bytes, expected 17179870204: a header of 1024 and 4294967295 tokens of 4");
}

TEST_CASE("bare tokens are read only when a person says so, and have an even size") {
  const TokenFolder folder;
  folder.write("val.bin", bare(places<std::uint16_t>(5)));
  folder.write("train.bin", bare(places<std::uint16_t>(10)));
  CHECK(folder.refusal("train.bin") ==
        folder.path("train.bin") +
            ": found neither the magic number of an llm.c shard nor a Megatron index (train.idx); "
            "a file of bare 16-bit tokens, as nanoGPT and llama2.c write it, takes 'format: "
            "raw_u16'");
  folder.write("odd.bin", {1, 2, 3});
  CHECK(folder.refusal("odd.bin", "val.bin", "raw_u16") ==
        folder.path("odd.bin") +
            ": found 3 bytes, expected a positive even number: tokens of two bytes");
  folder.write("empty.bin", {});
  CHECK(contains(folder.refusal("empty.bin", "val.bin", "raw_u16"), "found 0 bytes"));
}

TEST_CASE("a Megatron index that does not describe its tokens is refused with what was found") {
  const TokenFolder folder;
  folder.write("val.bin", version_1(places<std::uint16_t>(5)));
  folder.write("train.bin", bare(places<std::uint16_t>(10)));
  const auto refusal = [&](const Bytes& index) {
    folder.write("train.idx", index);
    return folder.refusal("train.bin");
  };
  const auto index_says = [&](const MegatronIndex& index, const std::string& text) {
    CHECK(refusal(index.bytes()) == folder.path("train.idx") + ": " + text);
  };
  const MegatronIndex good = ten_tokens(8, 2);
  CHECK(refusal(good.bytes()) == "(no InputError)");
  CHECK(contains(refusal(Bytes(33)),
                 "found 33 bytes, expected a Megatron index, whose header has 34"));

  MegatronIndex index = good;
  index.magic[8] = 1;
  index_says(
      index,
      "found other bytes than 'MMIDIDX' at the beginning, with which a Megatron index begins");
  index = good;
  index.version = 2;
  index_says(index, "found version 2, expected 1");
  for (const int type : {0, 2, 3, 5, 6, 7, 9}) {
    index = good;
    index.type = static_cast<std::uint8_t>(type);
    index_says(index, fmt::format("found tokens of type {}, expected 1 (8 bits), 4 (32 bits) or 8 "
                                  "(16 bits, unsigned)",
                                  type));
  }
  index = good;
  index.documents.push_back(3);
  index.num_documents = 3;
  index_says(index,
             "found 102 bytes, expected as many as its header counts: 34 and 12 for each of 3 "
             "sequences and 8 for each of 3 entries of documents");
  index = good;  // counts whose product with 12 is small in 64 bits
  index.sequences = std::uint64_t{1} << 62;
  CHECK(contains(refusal(index.bytes()), "12 for each of 4611686018427387904 sequences"));
  index = {.type = 8, .lengths = {}, .pointers = {}, .documents = {0}};
  index_says(index, "found 0 sequences, expected at least 1");
  index = good;
  index.lengths[1] = -1;
  index_says(index, "sequence 1: found length -1, expected 0 or more");
  index = good;
  index.pointers[2] = 10;
  index_says(index, "sequence 2: found its first byte at 10, expected 8, behind the one before");
  index = good;
  index.pointers[0] = -8;
  CHECK(contains(refusal(index.bytes()), "sequence 0: found its first byte at -8, expected 0"));
  index = {.type = 8, .lengths = {0}, .pointers = {0}, .documents = {0, 1}};
  index_says(index, "found 0 tokens, expected at least 1");
  index = good;
  index.lengths[2] = 7;
  CHECK(refusal(index.bytes()) == folder.path("train.bin") +
                                      ": found 20 bytes, expected 22, which " +
                                      folder.path("train.idx") + " describes");
  fs::remove(folder.folder() / "train.idx");
  CHECK(folder.refusal("train.bin", "val.bin", "megatron") ==
        folder.path("train.idx") + ": no such file");
}

TEST_CASE("files of other formats are refused with what makes tokens of them") {
  const TokenFolder folder;
  folder.write("val.bin", version_1(places<std::uint16_t>(5)));
  for (const auto& row : {std::pair{"c4.parquet", "dev/data/fineweb.py of llm.c"},
                          {"c4.arrow", "data/openwebtext/prepare.py of nanoGPT"},
                          {"c4.jsonl", "tools/preprocess_data.py of Megatron-LM"},
                          {"edu_000001.npy", "tofile('FILE.bin')"},
                          {"chunk-0-17.bin", "litdata.StreamingDataset"},
                          {"c4.bin.zst", "zstd -d"},
                          {"book.txt", "'dataset: {name: text}' reads it"},
                          {"c4.idx", "name the .bin file"}}) {
    folder.write(row.first, version_1(places<std::uint16_t>(10)));
    for (const char* const format : {"auto", "raw_u16"}) {
      const std::string text = folder.refusal(row.first, "val.bin", format);
      CHECK(text.starts_with(folder.path(row.first) + ": its name is that of "));
      CHECK_MESSAGE(contains(text, row.second), text);
    }
  }
}

TEST_CASE("a token beyond the vocabulary is found when the data set is loaded") {
  const TokenFolder folder;
  folder.write("val.bin", version_1(places<std::uint16_t>(5)));
  folder.write("a.bin", version_7(places<std::uint32_t>(5)));
  folder.write("b.bin", version_7({1, 2, 3, 100'000}));
  CHECK(folder.refusal("[ab].bin") ==
        folder.path("b.bin") +
            ": token 3: found 100000, allowed is 0 .. 99999 (vocabulary_size: 100000)");
  CHECK(folder.factory("[ab].bin", "val.bin").outline({})->train_size() == 2);  // sizes alone
}

TEST_CASE("a shard of more than 2^31 tokens is mapped, and read at its end") {
  const TokenFolder folder;
  constexpr std::uint64_t kTokens = (std::uint64_t{1} << 31) + 12;
  folder.write("val.bin", llm_c<std::uint32_t>(20240801, 7, kTokens, {}));
  const fs::path file = folder.path("val.bin");
  // Without its tokens: what nobody writes takes no place on the disk.
  if (::truncate(file.c_str(), static_cast<off_t>(1024 + 4 * kTokens)) != 0) {
    MESSAGE("skipped: no file of 8.6 GB can be made here");
    return;
  }
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekp(-40, std::ios::end);
  const Bytes end = bare(places<std::uint32_t>(10, 77));
  stream.write(reinterpret_cast<const char*>(end.data()), 40);
  stream.close();
  folder.write("train.bin", version_1(places<std::uint16_t>(10)));
  const std::unique_ptr<Dataset> dataset = folder.factory("train.bin", "val.bin").outline({});
  // 2^31 + 11 targets in windows of three.
  REQUIRE(dataset->test_size() == 715'827'887);
  const std::uint64_t last = dataset->test_size() - 1;
  const Window window = test_window(*dataset, last);
  const auto targets = static_cast<int>(kTokens - 1 - 3 * last);
  REQUIRE(targets == 1);
  CHECK(window.targets == std::vector<std::int32_t>{86, -1, -1});
  CHECK(window.inputs == std::vector<std::int32_t>{85, 0, 0});
  CHECK(test_window(*dataset, last - 1).targets == std::vector<std::int32_t>{83, 84, 85});
}

TEST_CASE("bytes per token are what a person says, and there is no alphabet") {
  const TokenFolder folder;
  folder.write("val.bin", version_1(places<std::uint16_t>(5)));
  folder.write("train.bin", version_1(places<std::uint16_t>(10)));
  const std::unique_ptr<Dataset> silent = folder.load("train.bin", "val.bin");
  CHECK(silent->bytes_per_target() == 0);
  CHECK(silent->alphabet() == nullptr);
  CHECK(silent->sample_shape().num_classes == 100'000);
  CHECK(silent->bytes() == 0);
  const std::unique_ptr<Dataset> said = load({{"name", "tokens"},
                                              {"root", folder.folder().string()},
                                              {"train", "train.bin"},
                                              {"test", "val.bin"},
                                              {"vocabulary_size", "50257"},
                                              {"bytes_per_token", "4.5"},
                                              {"sequence_length", "3"}});
  CHECK(said->bytes_per_target() == 4.5);
}
