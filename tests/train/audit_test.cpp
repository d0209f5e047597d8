#include "train/audit.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/random.h"
#include "core/vector_math.h"
#include "train/local_sgd_fixtures.h"

namespace localbatch {
namespace {

constexpr std::size_t kSize = 40;

/// Scalars of gradients that are there in full.
struct Samples {
  explicit Samples(int count, std::uint32_t seed) : gradients(static_cast<std::size_t>(count)) {
    RandomStream random(17, Purpose::kTest, seed);
    for (auto& gradient : gradients)
      for (std::size_t i = 0; i < kSize; ++i) gradient.push_back(0.2F + random.normal());
  }

  /// Without one of them, if `left_out` is not negative.
  SampleGradients scalars(int left_out = -1) const {
    std::vector<double> mean(kSize);
    std::vector<std::vector<float>> kept = gradients;
    if (left_out >= 0) kept.erase(kept.begin() + left_out);
    for (const auto& g : kept)
      for (std::size_t i = 0; i < kSize; ++i)
        mean[i] += double{g[i]} / static_cast<double>(kept.size());
    SampleGradients result;
    for (const auto& g : kept) {
      double product = 0;
      for (std::size_t i = 0; i < kSize; ++i) product += double{g[i]} * mean[i];
      result.squared_norms.push_back(squared_norm(g));
      result.inner_products.push_back(product);
    }
    for (const double value : mean) result.mean_squared_norm += value * value;
    return result;
  }

  std::vector<std::vector<float>> gradients;
};

TEST_CASE("leaving a sample out in closed form is the same as leaving it out") {
  const Samples samples(12, 1);
  const SampleGradients all = samples.scalars();
  for (int i = 0; i < 12; ++i) {
    const GroupSums closed = group_sums_without(all, group_sums(all), static_cast<std::size_t>(i));
    const GroupSums direct = group_sums(samples.scalars(i));
    CHECK(closed.chunks == direct.chunks);
    CHECK(closed.squared_norm == doctest::Approx(direct.squared_norm).epsilon(1e-10));
    CHECK(closed.deviation_squares == doctest::Approx(direct.deviation_squares).epsilon(1e-10));
    CHECK(closed.inverse_samples == doctest::Approx(direct.inverse_samples));
  }
}

TEST_CASE("an audit of several workers has the jackknife's error, also of what a test would want") {
  const std::vector<Samples> workers{Samples(9, 2), Samples(8, 3), Samples(8, 4)};
  const auto wanted = [](const GradientStatistics& s) -> std::optional<double> {
    return s.variance / s.unbiased_squared_norm;
  };
  Audit audit;
  run_workers(3, *single_process(), [&](Communicator& comm) {
    const auto m = static_cast<std::size_t>(comm.worker());
    const Audit mine = audit_statistics({.num_chunks = 3, .variance = 77}, workers[m].scalars(), {},
                                        16, wanted, comm);
    if (comm.worker() == 2) audit = mine;
  });
  const auto statistics = [&](std::size_t worker, int left_out) {
    GroupSums sums;
    for (std::size_t m = 0; m < 3; ++m)
      sums += group_sums(workers[m].scalars(m == worker ? left_out : -1));
    return estimate(sums, 3, 16, {}, true);
  };
  const GradientStatistics all = statistics(0, -1);
  std::vector<GradientStatistics> without;
  for (std::size_t m = 0; m < 3; ++m)
    for (int i = 0; i < static_cast<int>(workers[m].gradients.size()); ++i)
      without.push_back(statistics(m, i));
  const auto error = [&](const auto& value) {
    double mean = 0, scatter = 0;
    const double n = static_cast<double>(without.size());
    for (const auto& s : without) mean += value(s) / n;
    for (const auto& s : without) scatter += (value(s) - mean) * (value(s) - mean);
    return std::sqrt((n - 1) / n * scatter);
  };
  CHECK(audit.samples == 25);
  CHECK(audit.variance.value == doctest::Approx(all.variance));
  CHECK(audit.variance.error ==
        doctest::Approx(error([](const auto& s) { return s.variance; })).epsilon(1e-6));
  CHECK(audit.squared_norm.error ==
        doctest::Approx(error([](const auto& s) { return s.squared_norm; })).epsilon(1e-6));
  CHECK(audit.ratio.value == doctest::Approx(77 / all.variance));
  REQUIRE(audit.exact_wanted.has_value());
  CHECK(audit.exact_wanted->value == doctest::Approx(*wanted(all)));
  CHECK(audit.exact_wanted->error ==
        doctest::Approx(error([&](const auto& s) { return *wanted(s); })).epsilon(1e-6));
}

TEST_CASE("the jackknife's error is the scatter of repeated audits") {
  std::vector<double> variances, errors;
  run_workers(1, *single_process(), [&](Communicator& comm) {
    for (std::uint32_t trial = 0; trial < 200; ++trial) {
      const Audit audit = audit_statistics(
          {}, Samples(64, 100 + trial).scalars(), {}, 16,
          [](const GradientStatistics&) { return std::optional<double>(); }, comm);
      variances.push_back(audit.variance.value);
      errors.push_back(audit.variance.error);
    }
  });
  double mean = 0, scatter = 0, error = 0;
  for (const double value : variances) mean += value / 200;
  for (const double value : variances) scatter += (value - mean) * (value - mean) / 199;
  for (const double value : errors) error += value / 200;
  CHECK(mean == doctest::Approx(static_cast<double>(kSize)).epsilon(0.02));
  CHECK(error == doctest::Approx(std::sqrt(scatter)).epsilon(0.15));
}

TEST_CASE("an audit changes nothing else, and looks at the same points as the test") {
  QuadraticWorker::Problem problem = kNoisy;
  LocalSgd method = make_method(4000, 4, 0.05);
  method.controller = default_part(batch_size_controller_table(), "norm_test");
  method.limits.max = 64;
  const Run without = run(method, problem, 4, 4);
  method.audit = {.every_rounds = 3, .samples = 400};
  const Run with = run(method, problem, 4, 4);
  CHECK(without.x == with.x);
  REQUIRE(without.rounds.size() == with.rounds.size());
  int audits = 0;
  for (std::size_t k = 0; k < with.rounds.size(); ++k) {
    CHECK(with.rounds[k].statistics.has_value() == without.rounds[k].statistics.has_value());
    CHECK(with.rounds[k].decision.next == without.rounds[k].decision.next);
    CHECK(with.rounds[k].audit.has_value() == ((k + 1) % 3 == 0));
    if (!with.rounds[k].audit) continue;
    audits += 1;
    const Audit& audit = *with.rounds[k].audit;
    CHECK(audit.samples == 400);
    // 500 coordinates with variance 4.
    CHECK(std::abs(audit.variance.value - 2000) < 4 * audit.variance.error);
    CHECK(audit.variance.error < 30);
  }
  CHECK(audits > 3);
}

TEST_CASE("an audit sees its samples twice only if it or a controller asks for inner products") {
  LocalSgd method = make_method(64, 4, 0.05);
  const auto has_inner_products = [&](bool asked, const char* controller) {
    method.controller = default_part(batch_size_controller_table(), controller);
    method.audit = {.every_rounds = 1, .samples = 16, .inner_products = asked};
    return run(method, kNoisy, 4, 4).rounds.at(0).audit->exact.has_inner_products;
  };
  CHECK_FALSE(has_inner_products(false, "norm_test"));
  CHECK(has_inner_products(true, "norm_test"));
  CHECK(has_inner_products(false, "inner_product_test"));
  method.observer_needs = {.variance = true, .inner_products = true};
  CHECK(has_inner_products(false, "norm_test"));
}

}  // namespace
}  // namespace localbatch
