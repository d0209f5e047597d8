#include "data/token_windows.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "data/windows.h"
#include "fixtures.h"

using namespace localbatch;

namespace {

constexpr int kVocabulary = 1'000'000;

/// A training and a test text of so many tokens, each of which says where it lies.
TokenText text_of(std::size_t train, std::size_t test) {
  return {.train = stream_of(places(train)),
          .test = stream_of(places(test)),
          .vocabulary = kVocabulary};
}

TokenWindows windows(std::size_t train, std::size_t test, int length, bool random = false) {
  return {text_of(train, test), {.length = length, .random = random}, {}, TokenScan::kAll};
}

std::int32_t first_of(const TokenWindows& dataset, std::uint64_t seed, const Draw& draw) {
  return training_window(dataset, seed, draw).inputs.front();
}

/// One piece of memory, over and over: a long text that takes none.
TokenStream repeated(const TokenPiece& piece, std::size_t times) {
  TokenStream stream;
  for (std::size_t i = 0; i < times; ++i) stream.append(piece);
  return stream;
}

WindowSettings read(const Keys& keys) {
  const Node node = mapping(keys);
  Options options(node);
  const WindowSettings settings = read_windows(options);
  read_partition_of_windows(options, settings);
  options.finish();
  return settings;
}

}  // namespace

TEST_CASE("the target of a token is the one that follows it, in every window") {
  for (const bool random : {false, true}) {
    const TokenWindows dataset = windows(1000, 103, 7, random);
    for (std::uint32_t i = 0; i < dataset.train_size(); ++i) {
      const Window window = training_window(dataset, 3, {.epoch = 2, .sample = i});
      for (std::size_t t = 0; t < 7; ++t) {
        CHECK(window.inputs[t] == window.inputs[0] + static_cast<int>(t));
        CHECK(window.targets[t] == window.inputs[t] + 1);
      }
    }
  }
}

TEST_CASE("disjoint windows of an epoch lie one behind the other and see each target once") {
  for (const auto& size : {std::pair{1000U, 7}, {64U, 8}, {17U, 8}, {16U, 8}, {9U, 8}, {2U, 1}}) {
    const std::size_t tokens = size.first;
    const int length = size.second;
    CAPTURE(tokens);
    const TokenWindows dataset = windows(tokens, tokens, length);
    const std::size_t expected = std::max<std::size_t>(
        1, (tokens - static_cast<std::size_t>(length)) / static_cast<std::size_t>(length));
    REQUIRE(dataset.train_size() == expected);
    for (std::uint32_t epoch = 0; epoch < 20; ++epoch) {
      const std::int32_t offset = first_of(dataset, 1, {.epoch = epoch, .sample = 0});
      CHECK(0 <= offset);
      CHECK(offset < length);
      for (std::uint32_t i = 0; i < expected; ++i) {
        const Window window = training_window(dataset, 1, {.epoch = epoch, .sample = i});
        CHECK(window.inputs.front() == offset + length * static_cast<std::int32_t>(i));
        CHECK(window.targets.back() < static_cast<std::int32_t>(tokens));
      }
    }
  }
}

TEST_CASE("workers that draw from disjoint windows see each of them exactly once an epoch") {
  const TokenWindows dataset = windows(1003, 100, 10);
  constexpr int kWorkers = 3;
  constexpr std::uint32_t kEpochs = 4;
  std::map<std::uint32_t, std::vector<std::int32_t>> seen;
  for (int worker = 0; worker < kWorkers; ++worker) {
    Sampler sampler(static_cast<std::uint32_t>(dataset.train_size()), worker, kWorkers, 5);
    std::vector<Draw> draws(kEpochs * dataset.train_size() / kWorkers);
    sampler.draw(draws);
    for (const Draw& draw : draws) seen[draw.epoch].push_back(first_of(dataset, 5, draw));
  }
  REQUIRE(seen.size() == kEpochs);
  for (auto& [epoch, starts] : seen) {
    std::ranges::sort(starts);
    REQUIRE(starts.size() == 99);
    for (std::size_t i = 1; i < starts.size(); ++i) CHECK(starts[i] == starts[i - 1] + 10);
  }
}

TEST_CASE(
    "a worker with one shard sees one stretch of the text, every window once an epoch of its own") {
  const TokenWindows dataset = windows(1010, 100, 10);
  const Node file = mapping({{"partition", "shards"}, {"shards_per_worker", "1"}});
  Options options(file);
  const Shares shares =
      read_partition_of_windows(options, {.length = 10})({.count = 100, .classes = {}}, 4, 1)
          .value();
  std::set<std::int32_t> begun;
  for (int worker = 0; worker < 4; ++worker) {
    Sampler sampler(shares[static_cast<std::size_t>(worker)], worker, 5);
    std::vector<Draw> draws(75);
    sampler.draw(draws);
    for (std::uint32_t epoch = 0; epoch < 3; ++epoch) {
      std::vector<std::int32_t> starts;
      for (std::size_t i = 25 * epoch; i < 25 * (epoch + 1); ++i) {
        CHECK(draws[i].epoch == epoch);
        starts.push_back(first_of(dataset, 5, draws[i]));
      }
      std::ranges::sort(starts);
      for (std::size_t i = 1; i < 25; ++i) CHECK(starts[i] == starts[i - 1] + 10);
      if (epoch == 0) begun.insert(starts.front() / 10);
    }
  }
  CHECK(begun == std::set<std::int32_t>{0, 25, 50, 75});
}

TEST_CASE("offsets are uniform, and a function of seed and epoch") {
  const TokenWindows dataset = windows(1000, 100, 8), same = windows(1000, 100, 8);
  std::vector<int> counts(8);
  int same_as_other_seed = 0;
  for (std::uint32_t epoch = 0; epoch < 800; ++epoch) {
    const std::int32_t offset = first_of(dataset, 1, {.epoch = epoch, .sample = 0});
    ++counts[static_cast<std::size_t>(offset)];
    CHECK(first_of(same, 1, {.epoch = epoch, .sample = 0}) == offset);
    same_as_other_seed += first_of(dataset, 2, {.epoch = epoch, .sample = 0}) == offset ? 1 : 0;
  }
  // 100 expected; five standard deviations are 47.
  for (const int count : counts) CHECK((53 < count && count < 147));
  CHECK((53 < same_as_other_seed && same_as_other_seed < 147));
}

TEST_CASE("random windows begin uniformly anywhere, independent of each other") {
  const TokenWindows dataset = windows(11, 11, 3, /*random=*/true);
  std::map<std::int32_t, int> counts;
  std::map<std::pair<std::int32_t, std::int32_t>, int> pairs;
  constexpr std::uint32_t kEpochs = 8000;
  for (std::uint32_t epoch = 0; epoch < kEpochs; ++epoch) {
    const std::int32_t first = first_of(dataset, 1, {.epoch = epoch, .sample = 0});
    const std::int32_t second = first_of(dataset, 1, {.epoch = epoch, .sample = 1});
    ++counts[first];
    ++pairs[{first, second}];
  }
  REQUIRE(counts.size() == 8);  // 0 .. 7: the last target is token 10
  CHECK(counts.begin()->first == 0);
  CHECK(counts.rbegin()->first == 7);
  for (const auto& row : counts) CHECK(std::abs(row.second - 1000) < 150);  // five deviations
  REQUIRE(pairs.size() == 64);
  for (const auto& row : pairs) CHECK(std::abs(row.second - 125) < 56);
}

TEST_CASE("a random window is a function of seed, epoch and index") {
  const TokenWindows dataset = windows(100'000, 100, 5, /*random=*/true);
  std::set<std::int32_t> starts;
  for (const std::uint64_t seed : {1, 2})
    for (const std::uint32_t epoch : {0U, 1U, 7U})
      for (const std::uint32_t sample : {0U, 1U, 19'000U}) {
        const Draw draw{.epoch = epoch, .sample = sample};
        starts.insert(first_of(dataset, seed, draw));
        CHECK(training_window(dataset, seed, draw) == training_window(dataset, seed, draw));
      }
  CHECK(starts.size() == 18);
}

TEST_CASE("several threads that write samples at once write those of one") {
  const TokenWindows dataset = windows(5000, 100, 9, /*random=*/true);
  constexpr std::uint32_t kSamples = 400;
  std::vector<Window> alone(kSamples), together(kSamples);
  for (std::uint32_t i = 0; i < kSamples; ++i) alone[i] = training_window(dataset, 1, {0, i});
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (std::uint32_t thread = 0; thread < 3; ++thread)
    threads.emplace_back([&, thread] {
      for (std::uint32_t i = thread; i < kSamples; i += 3)
        together[i] = training_window(dataset, 1, {0, i});
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(alone == together);
}

TEST_CASE("test windows predict each token but the first once, and say what is not there") {
  for (const std::size_t tokens : {9U, 16U, 17U, 18U, 100U}) {
    CAPTURE(tokens);
    const TokenWindows dataset = windows(100, tokens, 8);
    REQUIRE(dataset.test_size() == (tokens - 1 + 7) / 8);
    std::vector<std::int32_t> predicted;
    for (std::size_t i = 0; i < dataset.test_size(); ++i) {
      const Window window = test_window(dataset, i);
      for (std::size_t t = 0; t < 8; ++t) {
        const std::size_t place = 8 * i + t;
        const bool is_there = place + 1 < tokens;
        CHECK(window.inputs[t] == (is_there ? static_cast<std::int32_t>(place) : 0));
        CHECK(window.targets[t] == (is_there ? static_cast<std::int32_t>(place + 1) : -1));
        if (is_there) predicted.push_back(window.targets[t]);
      }
    }
    CHECK(predicted == places<std::int32_t>(tokens - 1, 1));
  }
}

TEST_CASE("a text in pieces of any width is one text") {
  TokenStream stream;
  stream.append(piece_of(places<std::uint8_t>(5), "bytes"));
  stream.append(piece_of(places<std::uint16_t>(300, 5), "words"));
  stream.append(piece_of(places<std::uint32_t>(70'000, 305), "wide"));
  REQUIRE(stream.size() == 70'305);
  std::vector<std::int32_t> tokens(stream.size());
  stream.read(0, tokens);
  CHECK(tokens == places<std::int32_t>(70'305));
  for (const std::uint64_t first : {0U, 4U, 5U, 304U, 305U, 70'295U}) {
    std::vector<std::int32_t> some(10);
    stream.read(first, some);
    CHECK(some == places<std::int32_t>(10, first));
  }
  stream.read(stream.size(), {});
  CHECK(stream.place_of(4).file == "bytes");
  CHECK(stream.place_of(5).file == "words");
  CHECK(stream.place_of(5).index == 0);
  CHECK(stream.place_of(304).index == 299);
  CHECK(stream.place_of(305).file == "wide");
  CHECK(stream.place_of(70'304).index == 69'999);
}

TEST_CASE("texts beyond 2^31 tokens are read at the right places") {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 20, kTimes = 2100;
  const auto byte_at = [](std::uint64_t place) {
    const std::uint64_t i = place % kPiece;
    return static_cast<std::uint8_t>(i * 7 + (i >> 8) * 3 + (i >> 16));
  };
  std::vector<std::uint8_t> bytes(kPiece);
  for (std::uint64_t i = 0; i < kPiece; ++i) bytes[i] = byte_at(i);
  const TokenPiece piece = piece_of(bytes);
  const auto text = [&] {
    return TokenText{
        .train = repeated(piece, kTimes), .test = repeated(piece, kTimes), .vocabulary = 256};
  };
  constexpr std::uint64_t kTokens = kPiece * kTimes;
  REQUIRE(kTokens > std::uint64_t{1} << 31);
  constexpr int kLength = 1000;
  const TokenWindows disjoint(text(), {.length = kLength}, {}, TokenScan::kNone);
  REQUIRE(disjoint.train_size() == (kTokens - kLength) / kLength);

  const auto is_at = [&](const Window& window, std::uint64_t first) {
    for (std::size_t t = 0; t < kLength; ++t)
      if (window.inputs[t] != byte_at(first + t) || window.targets[t] != byte_at(first + t + 1))
        return false;
    return true;
  };
  const auto last = static_cast<std::uint32_t>(disjoint.train_size() - 1);
  const Window window = training_window(disjoint, 1, {.epoch = 0, .sample = last});
  int places_found = 0;
  for (std::uint64_t offset = 0; offset < kLength; ++offset)
    places_found += is_at(window, std::uint64_t{last} * kLength + offset) ? 1 : 0;
  CHECK(places_found == 1);
  CHECK(
      is_at(test_window(disjoint, disjoint.test_size() - 2), (disjoint.test_size() - 2) * kLength));

  // Starts beyond 2^31 are drawn as often as they should be: 2.5 % of 2.2 billion tokens.
  TokenText numbered;
  const TokenPiece low = piece_of(std::vector<std::uint8_t>(kPiece, 0)),
                   high = piece_of(std::vector<std::uint8_t>(kPiece, 1));
  for (std::uint64_t i = 0; i < kTimes; ++i) numbered.train.append(i < 2048 ? low : high);
  numbered.test.append(low);
  numbered.vocabulary = 256;
  const TokenWindows random(numbered, {.length = 2, .random = true}, {}, TokenScan::kNone);
  int beyond = 0;
  for (std::uint32_t i = 0; i < 10'000; ++i)
    beyond += training_window(random, 1, {.epoch = 0, .sample = i}).inputs[0];
  CHECK(std::abs(beyond - 248) < 80);  // five deviations
}

TEST_CASE("more windows than 32 bits can count are refused") {
  const TokenPiece piece = piece_of(std::vector<std::uint8_t>(1 << 20));
  const auto make = [&] {
    const TokenText text{
        .train = repeated(piece, 4097), .test = repeated(piece, 1), .vocabulary = 256};
    return TokenWindows(text, {.length = 1}, {}, TokenScan::kNone);
  };
  CHECK(contains(input_error(make),
                 "dataset.sequence_length: found 1, which cuts the training text into 4296015871 "
                 "windows; allowed are at most 4294967295"));
}

TEST_CASE("a checksum knows tokens, whatever files they lie in, and no two texts apart are one") {
  const auto scan = [](TokenStream train, TokenStream test) {
    return scan_tokens(
        {.train = std::move(train), .test = std::move(test), .vocabulary = kVocabulary});
  };
  const std::uint64_t before = scan(stream_of(places(70'000)), stream_of(places(50)));
  TokenStream pieces;
  pieces.append(piece_of(places<std::uint16_t>(65'000)));
  pieces.append(piece_of(places<std::uint32_t>(5'000, 65'000)));
  CHECK(scan(pieces, stream_of(places<std::uint8_t>(50))) == before);

  CHECK(scan(stream_of(places(69'999)), stream_of(places(50))) != before);
  CHECK(scan(stream_of(places(70'000)), stream_of(places(50, 1))) != before);
  for (const std::size_t changed : {0U, 65'535U, 65'536U, 69'999U}) {
    std::vector<std::uint32_t> other = places(70'000);
    other[changed] ^= 1;
    CHECK(scan(stream_of(other), stream_of(places(50))) != before);
  }
  CHECK(scan(stream_of(places(50)), stream_of(places(70'000))) != before);
  CHECK(windows(1000, 100, 8).checksum() == scan_tokens(text_of(1000, 100)));
}

TEST_CASE("a token beyond the vocabulary is named with its file and place before training") {
  const auto load = [](std::uint32_t wrong) {
    TokenText text{.train = stream_of(places(66'000), "a.bin"),
                   .test = stream_of(places(100), "t.bin"),
                   .vocabulary = 66'000};
    std::vector<std::uint32_t> tokens = places(66'000);
    tokens[65'999] = wrong;
    text.train.append(piece_of(tokens, "b.bin"));
    return TokenWindows(text, {.length = 8}, {}, TokenScan::kAll);
  };
  CHECK_NOTHROW(load(65'999));
  CHECK(input_error([&] { load(66'000); }) ==
        "b.bin: token 65999: found 66000, allowed is 0 .. 65999 (vocabulary_size: 66000)");
  CHECK(contains(input_error([&] { load(0xFFFFFFFF); }), "b.bin: token 65999: found -1, allowed"));
  TokenText text{.train = stream_of(places(100), "a.bin"),
                 .test = stream_of(places(100), "t.bin"),
                 .vocabulary = 100};
  CHECK_NOTHROW(scan_tokens(text));
  text.test.append(piece_of(places(2, 99), "u.bin"));
  CHECK(contains(input_error([&] { scan_tokens(text); }), "u.bin: token 1: found 100, allowed"));
}

TEST_CASE("a text without a whole window is refused, with its size and the least that is needed") {
  CHECK_NOTHROW(windows(9, 9, 8));
  CHECK(input_error([] { windows(8, 9, 8); }) ==
        "dataset: found a training text of 8 tokens (memory), expected at least 9: "
        "sequence_length + 1");
  CHECK(contains(input_error([] { windows(9, 8, 8); }), "found a test text of 8 tokens"));
}

TEST_CASE("windows of text take no augmentation") {
  const auto refusal = [](const Augmentation& augmentation) {
    return input_error(
        [&] { TokenWindows(text_of(100, 100), {.length = 8}, augmentation, TokenScan::kAll); });
  };
  CHECK(refusal({}) == "(no InputError)");
  CHECK(refusal({.pad_crop = 4}) ==
        "augmentation.pad_crop: found 4, which is for images; allowed here is 0");
  CHECK(contains(refusal({.flip = true}), "augmentation.flip: found true, which is for images"));
  CHECK(contains(refusal({.random_resized_crop = true}), "augmentation.random_resized_crop"));
}

TEST_CASE("samples of text are sequences without classes, whose targets have a size in bytes") {
  TokenText text = text_of(100, 100);
  text.bytes_per_token = 4.5;
  const TokenWindows dataset(text, {.length = 8}, {}, TokenScan::kAll);
  CHECK(dataset.unit() == "sequences");
  CHECK_FALSE(dataset.classes());
  CHECK(dataset.sample_shape() ==
        SampleShape{.input = TokenWindow{.length = 8}, .num_classes = kVocabulary});
  CHECK(dataset.bytes_per_target() == 4.5);
  CHECK(dataset.alphabet() == nullptr);
}

TEST_CASE("windows are read from the keys of a data set, which say what is out of place") {
  CHECK(read({{"sequence_length", "64"}}).length == 64);
  CHECK_FALSE(read({{"sequence_length", "64"}}).random);
  CHECK(read({{"sequence_length", "64"}, {"windows", "random"}}).random);
  CHECK_NOTHROW(read({{"sequence_length", "64"}, {"partition", "shards"}}));
  CHECK(contains(input_error([] { read({}); }), "sequence_length: missing"));
  CHECK(contains(input_error([] { read({{"sequence_length", "0"}}); }), "1 .. 1048576"));
  CHECK(contains(input_error([] {
                   read({{"sequence_length", "8"}, {"windows", "randm"}});
                 }),
                 "allowed is disjoint | random (did you mean 'random'?)"));
  CHECK(contains(input_error([] {
                   read({{"sequence_length", "8"}, {"partition", "by_class"}});
                 }),
                 "found 'by_class', allowed is iid | shards"));
  CHECK(contains(input_error([] {
                   read({{"sequence_length", "8"}, {"windows", "random"}, {"partition", "shards"}});
                 }),
                 "windows: found 'random', which draws from the whole text"));
}
