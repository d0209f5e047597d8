#include "data/partition.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/random.h"

namespace localbatch {

namespace {

/// Indices of the samples of each class, in increasing order.
std::vector<std::vector<std::uint32_t>> samples_by_class(const SamplesToShare& samples) {
  const std::optional<SampleClasses>& classes = samples.classes;
  if (!classes)
    fail_input(
        "dataset.partition: the samples of this data set have no classes; allowed is iid | shards");
  std::vector<std::vector<std::uint32_t>> by_class(static_cast<std::size_t>(classes->count));
  for (std::uint32_t i = 0; i < classes->labels.size(); ++i)
    by_class[classes->labels[i]].push_back(i);
  return by_class;
}

/// All samples, one class after the other.
std::vector<std::uint32_t> sorted_by_class(const SamplesToShare& samples) {
  std::vector<std::uint32_t> sorted;
  for (const std::vector<std::uint32_t>& one : samples_by_class(samples))
    sorted.insert(sorted.end(), one.begin(), one.end());
  return sorted;
}

/// The same, or all samples as they come where they have no classes: a text has neighbours instead.
std::vector<std::uint32_t> neighbours_together(const SamplesToShare& samples) {
  if (samples.classes) return sorted_by_class(samples);
  std::vector<std::uint32_t> order(samples.count);
  std::iota(order.begin(), order.end(), 0U);
  return order;
}

/// Piece `index` of `pieces` whose sizes differ by one sample at most.
std::span<const std::uint32_t> piece(std::span<const std::uint32_t> samples, std::size_t index,
                                     std::size_t pieces) {
  const std::size_t first = samples.size() * index / pieces;
  return samples.subspan(first, samples.size() * (index + 1) / pieces - first);
}

void append(std::span<const std::uint32_t> samples, std::vector<std::uint32_t>& share) {
  share.insert(share.end(), samples.begin(), samples.end());
}

/// The logarithm of a Gamma(shape, 1) variate (Marsaglia and Tsang 2000), which for a small shape
/// is too small for a number itself.
double log_gamma_variate(double shape, RandomStream& random) {
  // Uniform in (0, 1).
  const auto uniform = [&random] { return double{random.uniform()} + 0x1p-25; };
  // A variate of a shape below 1 is one of shape + 1 times u^(1/shape).
  const double boost = shape < 1 ? std::log(uniform()) / shape : 0;
  const double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = double{random.normal()};
    const double v = (1 + c * x) * (1 + c * x) * (1 + c * x);
    if (v > 0 && std::log(uniform()) < 0.5 * x * x + d - d * v + d * std::log(v))
      return std::log(d * v) + boost;
  }
}

/// Proportions from a symmetric Dirichlet distribution.
std::vector<double> dirichlet_proportions(double alpha, int count, RandomStream& random) {
  std::vector<double> proportions(static_cast<std::size_t>(count));
  for (double& proportion : proportions) proportion = log_gamma_variate(alpha, random);
  const double largest = *std::ranges::max_element(proportions);
  double sum = 0;
  for (double& proportion : proportions) sum += proportion = std::exp(proportion - largest);
  for (double& proportion : proportions) proportion /= sum;
  return proportions;
}

Partition make_iid(Options& /*options*/) {
  return {
      .share = [](const SamplesToShare&, int, std::uint64_t) { return std::optional<Shares>(); },
      .has_shares = false,
      .looks_at_classes = false};
}

Shares share_by_class(const SamplesToShare& samples, int num_workers) {
  const std::vector<std::uint32_t> sorted = sorted_by_class(samples);
  Shares shares(static_cast<std::size_t>(num_workers));
  for (std::size_t worker = 0; worker < shares.size(); ++worker)
    append(piece(sorted, worker, shares.size()), shares[worker]);
  return shares;
}

Partition make_by_class(Options& /*options*/) {
  return {.share = [](const SamplesToShare& samples, int num_workers, std::uint64_t) {
    return share_by_class(samples, num_workers);
  }};
}

/// Hsu, Qi and Brown (2019), class by class.
Shares share_by_dirichlet(double alpha, const SamplesToShare& samples, int num_workers,
                          std::uint64_t seed) {
  Shares shares(static_cast<std::size_t>(num_workers));
  std::uint64_t label = 0;
  for (const std::vector<std::uint32_t>& of_class : samples_by_class(samples)) {
    RandomStream random(seed, Purpose::kPartition, label++);
    const std::vector<double> proportions = dirichlet_proportions(alpha, num_workers, random);
    const auto count = static_cast<std::uint32_t>(of_class.size());
    const std::vector<std::uint32_t> order = random_permutation(count, random);
    double up_to = 0;
    std::size_t first = 0;
    for (std::size_t worker = 0; worker < shares.size(); ++worker) {
      up_to += proportions[worker];
      const bool last_worker = worker + 1 == shares.size();
      const std::size_t last =
          last_worker ? count : std::min<std::size_t>(count, std::llround(up_to * count));
      for (; first < last; ++first) shares[worker].push_back(of_class[order[first]]);
    }
  }
  return shares;
}

Partition make_dirichlet(Options& options) {
  const double alpha = options.number(
      "alpha", {.min = 1e-3,
                .max = 1e6,
                .meaning = "of the Dirichlet distribution: near 0, each class goes to one worker; "
                           "large, all workers get the same mixture"});
  return {.share = [alpha](const SamplesToShare& samples, int num_workers, std::uint64_t seed) {
    return share_by_dirichlet(alpha, samples, num_workers, seed);
  }};
}

/// McMahan, Moore, Ramage, Hampson and Aguera y Arcas (2017).
Shares share_by_shards(std::size_t per_worker, const SamplesToShare& samples, int num_workers,
                       std::uint64_t seed) {
  const std::vector<std::uint32_t> sorted = neighbours_together(samples);
  Shares shares(static_cast<std::size_t>(num_workers));
  const std::size_t shards = shares.size() * per_worker;
  const std::vector<std::uint32_t> order = random_permutation(
      static_cast<std::uint32_t>(shards), RandomStream(seed, Purpose::kPartition));
  for (std::size_t i = 0; i < shards; ++i)
    append(piece(sorted, order[i], shards), shares[i / per_worker]);
  return shares;
}

Partition make_shards(Options& options) {
  const auto per_worker = static_cast<std::size_t>(options.integer(
      "shards_per_worker", {.fallback = 2,
                            .min = 1,
                            .max = 1'000'000,
                            .meaning = "pieces that a worker gets of the training set, sorted by "
                                       "class (few pieces, few classes) or, without classes, in "
                                       "its order: 1 gives each worker one stretch of a text"}));
  return {
      .share = [per_worker](const SamplesToShare& samples, int num_workers, std::uint64_t seed) {
        return share_by_shards(per_worker, samples, num_workers, seed);
      }};
}

constexpr std::array<PartRow<Partition>, 4> kPartitions{{
    {.name = "iid",
     .summary = "each epoch is one permutation of the whole set, dealt to the workers in turn",
     .make = make_iid,
     .formula =
         "worker m gets places m, m + M, m + 2 M, ... of the permutations of all epochs, laid "
         "end to end",
     .source = "homogeneous data, for which arXiv 2406.13936 gives its guarantees"},
    {.name = "by_class",
     .summary = "sorted by class and cut: each worker has few classes to itself",
     .make = make_by_class,
     .formula = "worker m gets samples floor(n m/M) to floor(n (m + 1)/M) - 1 of the n in the set, "
                "sorted by class",
     .source = "McMahan et al. 2017, as recalled, with one shard for each worker"},
    {.name = "dirichlet",
     .summary = "each class is shared out by Dirichlet proportions (Hsu et al. 2019)",
     .make = make_dirichlet,
     .formula = "the samples of each class, in random order, are cut in M proportions from "
                "Dirichlet(alpha, ..., alpha)",
     .source =
         "Hsu et al. 2019, as recalled; here class by class, so that every sample has one worker"},
    {.name = "shards",
     .summary = "sorted by class, or a text in its order, cut into shards, some for each worker "
                "(McMahan et al. 2017)",
     .make = make_shards,
     .formula =
         "the set sorted by class, or in its order where samples have no classes, is cut into M "
         "shards_per_worker equal pieces; each worker gets shards_per_worker of them at random",
     .source = "McMahan et al. 2017, as recalled"},
}};

}  // namespace

std::span<const PartRow<Partition>> partition_table() { return kPartitions; }

namespace {

Partition read_one_of(Options& options, const std::vector<std::string>& names) {
  const std::string name = options.choice(
      "partition",
      {.fallback = "iid",
       .choices = names,
       .meaning =
           "how workers share the training set; iid: all draw from the whole of it; the others "
           "give each worker samples of its own, which it shuffles in each of its epochs; "
           "their keys (see dataset.partition) stand beside this one"});
  for (const PartRow<Partition>& row : kPartitions)
    if (row.name == name) return row.make(options);
  internal_error("a choice is one of the names in its table");
}

}  // namespace

Partition read_partition(Options& options) {
  return read_one_of(options, part_names(partition_table()));
}

Partition read_partition_without_classes(Options& options) {
  Partition partition = read_one_of(options, {"iid", "shards"});
  partition.looks_at_classes = false;
  return partition;
}

}  // namespace localbatch
