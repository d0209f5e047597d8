#include "data/partition.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "core/error.h"
#include "core/make_node.h"
#include "data/sampler.h"

using namespace localbatch;

namespace {

Partition make(const std::vector<std::pair<std::string, Node>>& keys) {
  const Node file = map(keys);
  Options options(file);
  Partition partition = read_partition(options);
  options.finish();
  return partition;
}

Partition dirichlet(const char* alpha) {
  return make({{"partition", scalar("dirichlet")}, {"alpha", scalar(alpha)}});
}

Shares share_out(const Partition& partition, const std::vector<Label>& labels, int num_classes,
                 int num_workers, std::uint64_t seed) {
  return partition({.count = labels.size(),
                    .classes = SampleClasses{.labels = labels, .count = num_classes}},
                   num_workers, seed)
      .value();
}

/// `each` samples of every class, classes in turn.
std::vector<Label> labels_of(int num_classes, int each) {
  std::vector<Label> labels;
  for (int i = 0; i < num_classes * each; ++i)
    labels.push_back(static_cast<Label>(i % num_classes));
  return labels;
}

std::set<int> classes_of(const std::vector<std::uint32_t>& share,
                         const std::vector<Label>& labels) {
  std::set<int> classes;
  for (const std::uint32_t sample : share) classes.insert(labels[sample]);
  return classes;
}

}  // namespace

TEST_CASE("every sample goes to exactly one worker, for the same arguments to the same one") {
  const std::vector<Label> labels = labels_of(10, 53);
  for (const auto& partition :
       {make({{"partition", scalar("by_class")}}), dirichlet("0.01"), dirichlet("0.5"),
        dirichlet("100"), make({{"partition", scalar("shards")}}),
        make({{"partition", scalar("shards")}, {"shards_per_worker", scalar("7")}})})
    for (const int num_workers : {1, 2, 7, 16}) {
      CAPTURE(num_workers);
      const Shares shares = share_out(partition, labels, 10, num_workers, 3);
      REQUIRE(shares.size() == static_cast<std::size_t>(num_workers));
      std::vector<std::uint32_t> all;
      for (const auto& share : shares) all.insert(all.end(), share.begin(), share.end());
      std::ranges::sort(all);
      std::vector<std::uint32_t> expected(labels.size());
      std::iota(expected.begin(), expected.end(), 0U);
      CHECK(all == expected);
      CHECK(share_out(partition, labels, 10, num_workers, 3) == shares);
    }
}

TEST_CASE("by class, workers get neighbouring classes and equally many samples") {
  const std::vector<Label> labels = labels_of(10, 20);
  const Shares shares = share_out(make({{"partition", scalar("by_class")}}), labels, 10, 5, 1);
  for (int worker = 0; worker < 5; ++worker) {
    const auto& share = shares[static_cast<std::size_t>(worker)];
    CHECK(share.size() == 40);
    CHECK(classes_of(share, labels) == std::set<int>{2 * worker, 2 * worker + 1});
  }
}

TEST_CASE("shards of one class each give a worker as many classes as shards, chosen by the seed") {
  const std::vector<Label> labels = labels_of(10, 20);
  const Partition partition = make({{"partition", scalar("shards")}});
  const Shares shares = share_out(partition, labels, 10, 5, 1);
  for (const auto& share : shares) {
    CHECK(share.size() == 40);
    CHECK(classes_of(share, labels).size() == 2);
  }
  CHECK(share_out(partition, labels, 10, 5, 2) != shares);
}

TEST_CASE("shares of a class have the mean and the variance of a Dirichlet distribution") {
  constexpr int kWorkers = 4, kClasses = 200, kEach = 1000;
  const std::vector<Label> labels = labels_of(kClasses, kEach);
  for (const double alpha : {0.3, 1.0, 5.0}) {
    CAPTURE(alpha);
    const Shares shares =
        share_out(dirichlet(std::to_string(alpha).c_str()), labels, kClasses, kWorkers, 1);
    double mean = 0, square = 0;
    for (const auto& share : shares) {
      std::vector<double> proportions(kClasses);
      for (const std::uint32_t sample : share) proportions[labels[sample]] += 1.0 / kEach;
      for (const double p : proportions) {
        mean += p / (kClasses * kWorkers);
        square += p * p / (kClasses * kWorkers);
      }
    }
    CHECK(mean == doctest::Approx(1.0 / kWorkers));
    const double variance = 1.0 / kWorkers * (1 - 1.0 / kWorkers) / (kWorkers * alpha + 1);
    // 800 shares: the sample variance is within 3 standard errors, about 0.15 of it at the widest.
    CHECK(square - mean * mean == doctest::Approx(variance).epsilon(0.15));
  }
}

TEST_CASE("a small alpha gives each class to one worker, a large one an equal mixture to all") {
  const std::vector<Label> labels = labels_of(10, 100);
  const Shares apart = share_out(dirichlet("0.001"), labels, 10, 4, 1);
  int homes = 0;
  for (const auto& share : apart) homes += static_cast<int>(classes_of(share, labels).size());
  CHECK(homes <= 11);
  for (const auto& share : share_out(dirichlet("1000000"), labels, 10, 4, 1)) {
    CHECK(classes_of(share, labels).size() == 10);
    CHECK(std::abs(static_cast<double>(share.size()) - 250) <= 10);
  }
}

TEST_CASE("a worker with a share of its own visits it once in each of its epochs") {
  const std::vector<std::uint32_t> share{3, 14, 15, 92, 65};
  Sampler sampler(share, 2, 7), same(share, 2, 7), other_worker(share, 1, 7);
  std::vector<Draw> draws(20), again(20), others(20);
  sampler.draw(draws);
  same.restore(5);
  same.draw(std::span(again).first(15));
  other_worker.draw(others);
  std::vector<std::uint32_t> sorted = share;
  std::ranges::sort(sorted);
  bool differs = false;
  for (std::uint32_t epoch = 0; epoch < 4; ++epoch) {
    std::vector<std::uint32_t> seen;
    for (std::size_t i = 5 * epoch; i < 5 * epoch + 5; ++i) {
      CHECK(draws[i].epoch == epoch);
      seen.push_back(draws[i].sample);
      differs = differs || draws[i].sample != others[i].sample;
      if (i >= 5) CHECK(again[i - 5].sample == draws[i].sample);
    }
    std::ranges::sort(seen);
    CHECK(seen == sorted);
  }
  CHECK(differs);
}

TEST_CASE("samples without classes are drawn by all workers, or in shards; others refuse them") {
  for (const PartRow<Partition>& row : partition_table()) {
    CAPTURE(row.name);
    std::vector<std::pair<std::string, Node>> keys{{"partition", scalar(std::string(row.name))}};
    if (row.name == "dirichlet") keys.emplace_back("alpha", scalar("1"));
    const Partition partition = make(keys);
    const SamplesToShare samples{.count = 100, .classes = {}};
    if (row.name == "iid")
      CHECK_FALSE(partition(samples, 4, 1).has_value());
    else if (row.name == "shards")
      CHECK(partition(samples, 4, 1).has_value());
    else
      CHECK_THROWS_AS(partition(samples, 4, 1), InputError);
    CHECK(partition.has_shares == (row.name != "iid"));
  }
}

TEST_CASE("one shard of samples without classes is a stretch of neighbours, for every worker one") {
  const Partition partition =
      make({{"partition", scalar("shards")}, {"shards_per_worker", scalar("1")}});
  const Shares shares = partition({.count = 103, .classes = {}}, 4, 1).value();
  std::vector<std::uint32_t> all;
  for (const std::vector<std::uint32_t>& share : shares) {
    CHECK((share.size() == 25 || share.size() == 26));
    for (std::size_t i = 1; i < share.size(); ++i) CHECK(share[i] == share[i - 1] + 1);
    all.insert(all.end(), share.begin(), share.end());
  }
  std::ranges::sort(all);
  REQUIRE(all.size() == 103);
  for (std::uint32_t i = 0; i < 103; ++i) CHECK(all[i] == i);
  CHECK(partition({.count = 103, .classes = {}}, 4, 2).value() != shares);
}

TEST_CASE("a data set without classes reads the partitions that need none") {
  const auto read = [](const char* name) {
    const Node file = map({{"partition", scalar(name)}});
    Options options(file);
    return read_partition_without_classes(options);
  };
  CHECK_FALSE(read("iid").has_shares);
  CHECK(read("shards").has_shares);
  CHECK_FALSE(read("shards").looks_at_classes);
  CHECK_THROWS_WITH_AS(read("by_class"),
                       doctest::Contains("found 'by_class', allowed is iid | shards"), InputError);
}

TEST_CASE("all partitions can be described") {
  for (const PartRow<Partition>& row : partition_table()) {
    Options options = Options::describing();
    row.make(options);
    for (const Declaration& declared : options.declarations())
      CHECK_FALSE(declared.meaning.empty());
  }
}
