#include "train/audit.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/random.h"
#include "core/vector_math.h"
#include "train/local_sgd_fixtures.h"

namespace localbatch {
namespace {

constexpr std::size_t kAuditedSize = 40;

using Vector = std::vector<float>;
using Gradients = std::vector<Vector>;

Gradients random_gradients(int count, std::uint32_t seed) {
  Gradients gradients(static_cast<std::size_t>(count));
  RandomStream random(17, Purpose::kTest, seed);
  for (Vector& gradient : gradients)
    for (std::size_t i = 0; i < kAuditedSize; ++i) gradient.push_back(0.2F + random.normal());
  return gradients;
}

/// A worker whose gradients are there in full.
class StoredWorker final : public Worker {
 public:
  StoredWorker(const Gradients& gradients, int& passes)
      : gradients_(gradients), passes_(passes), x_(kAuditedSize) {}

  double local_step(int, double, ChunkGradients*) override { return 0; }
  std::span<float> parameters() override { return x_; }
  std::span<const float> gradient() const override { return x_; }
  void add_averaged_state(std::vector<Averaged>&) override {}
  void finish_synchronization() override {}
  std::vector<TensorView> tensors() const override { return {}; }

  void sample_gradients(const SampleRequest& request, const SampleSums& sums,
                        std::span<float> sum) override {
    REQUIRE(static_cast<std::size_t>(request.count) == gradients_.size());
    passes_ += 1;
    std::ranges::fill(sum, 0.0F);
    for (std::size_t i = 0; i < gradients_.size(); ++i) {
      const Vector& g = gradients_[i];
      if (!sums.squared_norms.empty()) sums.squared_norms[i] = squared_norm(g);
      if (!sums.inner_products.empty()) sums.inner_products[i] = inner_product(g, sums.direction);
      const double weight = sums.weights.empty() ? 1 : sums.weights[i];
      for (std::size_t j = 0; j < sum.size(); ++j)
        sum[j] += static_cast<float>(weight * double{g[j]});
    }
  }

 private:
  const Gradients& gradients_;
  int& passes_;
  Vector x_;
};

struct Experiment {
  std::vector<Gradients> workers;  ///< of each worker
  int samples_each = 1;
  bool own_gradients = false;

  StatisticsOptions options() const { return {.own_gradients = own_gradients}; }
  int pool() const { return own_gradients ? 1 : static_cast<int>(workers.size()); }

  static std::vector<double> mean(const Gradients& gradients) {
    std::vector<double> mean(kAuditedSize);
    for (const Vector& g : gradients)
      for (std::size_t i = 0; i < kAuditedSize; ++i)
        mean[i] += double{g[i]} / static_cast<double>(gradients.size());
    return mean;
  }

  /// The definitions of GroupSums, over all workers, gradient by gradient.
  GroupSums sums() const {
    std::vector<double> mean_of_all(kAuditedSize);
    for (const Gradients& gradients : workers) {
      const std::vector<double> own = mean(gradients);
      for (std::size_t i = 0; i < kAuditedSize; ++i)
        mean_of_all[i] += own[i] / static_cast<double>(workers.size());
    }
    GroupSums sums;
    double inverse = 0;
    for (const Gradients& gradients : workers) {
      const std::vector<double> own = mean(gradients);
      const std::vector<double> g = own_gradients ? own : mean_of_all;
      double norm = 0, products = 0;
      for (std::size_t i = 0; i < kAuditedSize; ++i) norm += g[i] * g[i];
      for (const Vector& mine : gradients) {
        double along = 0;
        for (std::size_t i = 0; i < kAuditedSize; ++i) {
          const double difference = double{mine[i]} - own[i];
          sums.deviation_squares += samples_each * difference * difference;
          along += difference * g[i];
        }
        products += samples_each * along * along;
      }
      sums.groups += 1;
      sums.chunks += static_cast<double>(gradients.size());
      sums.squared_norm += norm / pool();
      sums.inner_product_squares += products;
      sums.scaled_inner_product_squares += products / norm;
      inverse += 1.0 / (samples_each * static_cast<double>(gradients.size()));
    }
    sums.inverse_samples = inverse / pool() / pool();
    return sums;
  }

  GroupSums sums_without(std::size_t worker, std::size_t i) const {
    Experiment rest = *this;
    rest.workers[worker].erase(rest.workers[worker].begin() + static_cast<std::ptrdiff_t>(i));
    return rest.sums();
  }

  GradientStatistics statistics(const GroupSums& sums) const {
    return estimate(sums, static_cast<int>(workers.size()), 16, options(), true);
  }

  /// The jackknife's error, by leaving every gradient out indeed.
  template <class Value>
  double error_of(const Value& value) const {
    std::vector<double> values, weights;
    for (std::size_t m = 0; m < workers.size(); ++m)
      for (std::size_t i = 0; i < workers[m].size(); ++i) {
        const double n = static_cast<double>(workers[m].size());
        values.push_back(value(statistics(sums_without(m, i))));
        weights.push_back((n - 1) / n);
      }
    double mean = 0, squared_error = 0;
    for (const double one : values) mean += one / static_cast<double>(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      squared_error += weights[i] * (values[i] - mean) * (values[i] - mean);
    return std::sqrt(squared_error);
  }

  /// What each worker knows, and on worker 0 how often its gradients were seen.
  std::vector<SampleGradients> look(SampleProducts wanted, int* passes = nullptr) const {
    std::vector<SampleGradients> seen(workers.size());
    run_workers(static_cast<int>(workers.size()), *single_process(), [&](Communicator& comm) {
      const auto m = static_cast<std::size_t>(comm.worker());
      int mine = 0;
      StoredWorker worker(workers[m], mine);
      seen[m] = look_at_samples(
          worker, {.count = static_cast<int>(workers[m].size()), .samples_each = samples_each},
          wanted, own_gradients, comm);
      if (m == 0 && passes != nullptr) *passes = mine;
    });
    return seen;
  }

  Audit audit(SampleProducts wanted, const WantedOf& controller) const {
    const std::vector<SampleGradients> seen = look(wanted);
    Audit audit;
    run_workers(static_cast<int>(workers.size()), *single_process(), [&](Communicator& comm) {
      const Audit mine = audit_statistics({.num_chunks = 3, .variance = 77},
                                          seen[static_cast<std::size_t>(comm.worker())], options(),
                                          16, controller, comm);
      if (comm.worker() == static_cast<int>(workers.size()) - 1) audit = mine;
    });
    return audit;
  }
};

/// Three workers, each at another point.
Experiment experiment(int of_each, bool own_gradients, int samples_each = 1) {
  Experiment made{.workers = {}, .samples_each = samples_each, .own_gradients = own_gradients};
  for (const int worker : {0, 1, 2}) {
    made.workers.push_back(
        random_gradients(of_each + (worker == 0 ? 1 : 0), static_cast<std::uint32_t>(2 + worker)));
    for (Vector& gradient : made.workers.back()) gradient[0] += 0.3F * static_cast<float>(worker);
  }
  return made;
}

void check_close(const GroupSums& found, const GroupSums& expected) {
  for (const auto field : kGroupSumFields)
    CHECK(found.*field == doctest::Approx(expected.*field).epsilon(1e-5));
}

TEST_CASE("gradients beside local steps have the sums of their definition, for both means") {
  for (const bool own : {false, true})
    for (const int each : {1, 8}) {
      const Experiment test = experiment(9, own, each);
      GroupSums sums;
      for (const SampleGradients& seen : test.look(SampleProducts::kMean)) sums += group_sums(seen);
      check_close(sums, test.sums());
    }
}

TEST_CASE(
    "leaving a gradient out in closed form is leaving it out, but for a term of second order") {
  for (const bool own : {false, true})
    for (const int each : {1, 8}) {
      CAPTURE(own);
      const Experiment test = experiment(8, own, each);
      const std::vector<SampleGradients> seen = test.look(SampleProducts::kLeaveOneOutOfProducts);
      const std::size_t worker = 1, left_out = 3;
      GroupSums others, pool;
      for (std::size_t m = 0; m < 3; ++m)
        (m == worker || !own ? pool : others) += group_sums(seen[m]);
      GroupSums found = group_sums_without(seen[worker], pool, left_out);
      found += others;
      // The one term: sum over the others of <d_j, d_i>^2 by the square of the step that g makes.
      const double step = 1.0 / test.pool() / static_cast<double>(test.workers[worker].size() - 1);
      const auto distance = [&](std::size_t m, std::size_t i) {
        Vector difference;
        for (std::size_t k = 0; k < kAuditedSize; ++k)
          difference.push_back(static_cast<float>(double{test.workers[m][i][k]} -
                                                  Experiment::mean(test.workers[m])[k]));
        return difference;
      };
      double term = 0;
      for (std::size_t m = 0; m < 3; ++m)
        for (std::size_t j = 0; j < test.workers[m].size(); ++j) {
          if ((own && m != worker) || (m == worker && j == left_out)) continue;
          const double product = inner_product(distance(m, j), distance(worker, left_out));
          term += each * step * step * product * product;
        }
      CHECK(term > 0);
      found.inner_product_squares += term;
      GroupSums expected = test.sums_without(worker, left_out);
      found.scaled_inner_product_squares = expected.scaled_inner_product_squares = 0;
      check_close(found, expected);
    }
}

TEST_CASE("an audit of several workers has the jackknife's error, also of what a test would want") {
  const auto wanted = [](const GradientStatistics& s) -> std::optional<double> {
    return s.variance / s.unbiased_squared_norm;
  };
  for (const bool own : {false, true})
    for (const int each : {1, 8}) {
      CAPTURE(own);
      const Experiment test = experiment(8, own, each);
      const Audit audit = test.audit(SampleProducts::kLeaveOneOut, wanted);
      const GradientStatistics all = test.statistics(test.sums());
      CHECK(audit.samples == 25 * each);
      CHECK(audit.samples_each == each);
      CHECK(audit.variance.value == doctest::Approx(all.variance));
      CHECK(audit.variance.error ==
            doctest::Approx(test.error_of([](const auto& s) { return s.variance; })).epsilon(1e-4));
      CHECK(audit.squared_norm.value == doctest::Approx(all.squared_norm));
      CHECK(audit.squared_norm.error == doctest::Approx(test.error_of([](const auto& s) {
                                          return s.squared_norm;
                                        })).epsilon(1e-4));
      CHECK(audit.ratio.value == doctest::Approx(77 / all.variance));
      REQUIRE(audit.exact_wanted.has_value());
      CHECK(audit.exact_wanted->value == doctest::Approx(*wanted(all)));
      CHECK(audit.exact_wanted->error == doctest::Approx(test.error_of([&](const auto& s) {
                                           return *wanted(s);
                                         })).epsilon(1e-4));
    }
}

TEST_CASE("the jackknife's error of what an inner-product test wants converges to leave-one-out") {
  const auto wanted = [](const GradientStatistics& s) -> std::optional<double> {
    return std::max(s.inner_product_variance / (s.squared_norm * s.squared_norm),
                    s.orthogonal_variance / s.squared_norm / 40);
  };
  for (const bool own : {false, true}) {
    CAPTURE(own);
    for (const auto& size : {std::pair{8, 0.1}, {30, 0.02}, {150, 0.002}}) {
      const Experiment test = experiment(size.first, own);
      const double found =
          test.audit(SampleProducts::kLeaveOneOutOfProducts, wanted).exact_wanted->error;
      const double expected = test.error_of([&](const auto& s) { return *wanted(s); });
      MESSAGE((3 * size.first + 1) << " gradients: " << found << " for " << expected);
      CHECK(found == doctest::Approx(expected).epsilon(size.second));
    }
  }
}

TEST_CASE("gradients are seen once for each array of products that is asked for") {
  const auto passes = [](SampleProducts wanted, bool own) {
    int seen = 0;
    experiment(8, own).look(wanted, &seen);
    return seen;
  };
  for (const bool own : {false, true}) {
    CHECK(passes(SampleProducts::kNone, own) == 1);
    CHECK(passes(SampleProducts::kMean, own) == 2);
    CHECK(passes(SampleProducts::kLeaveOneOut, own) == (own ? 2 : 3));
    CHECK(passes(SampleProducts::kLeaveOneOutOfProducts, own) == (own ? 4 : 5));
  }
}

TEST_CASE("the jackknife's error is the scatter of repeated audits") {
  for (const int workers : {1, 32}) {
    CAPTURE(workers);
    const int each = 64 / workers;
    double sum = 0, squares = 0, squared_errors = 0;
    std::uint32_t seed = 100;
    for (int trial = 0; trial < 200; ++trial) {
      Experiment test;
      for (int m = 0; m < workers; ++m) test.workers.push_back(random_gradients(each, seed++));
      const Audit audit = test.audit(SampleProducts::kLeaveOneOut, [](const GradientStatistics&) {
        return std::optional<double>();
      });
      sum += audit.variance.value;
      squares += audit.variance.value * audit.variance.value;
      squared_errors += audit.variance.error * audit.variance.error;
    }
    const double mean = sum / 200, scatter = (squares - 200 * mean * mean) / 199;
    CHECK(mean == doctest::Approx(static_cast<double>(kAuditedSize)).epsilon(0.02));
    CHECK(std::sqrt(squared_errors / 200) == doctest::Approx(std::sqrt(scatter)).epsilon(0.15));
  }
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

TEST_CASE("an audit has inner products only if it or a controller asks for them") {
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
