#include "train/averaged_weights.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

namespace localbatch {
namespace {

std::vector<float> mean_of(AveragedWeights& average, std::size_t size) {
  std::vector<float> mean(size), present(size);
  average.swap(mean);
  present = mean;
  average.swap(mean);
  return present;
}

TEST_CASE("the mean over rounds has weights that fall by 1/e in the window") {
  // The closed form: the first x has what the others leave.
  const std::vector<std::int64_t> samples{10, 40, 5, 100};
  const std::vector<double> x{1, -3, 20, 4};
  constexpr double kWindow = 50;
  double expected = 0, rest = 1, after = 0;
  for (std::size_t k = samples.size(); k-- > 0;) {
    const double s = static_cast<double>(samples[k]);
    const double weight =
        k == 0 ? rest : std::exp(-after / kWindow) - std::exp(-(after + s) / kWindow);
    expected += weight * x[k];
    rest -= weight;
    after += s;
  }
  AveragedWeights average(kWindow, 1);
  for (std::size_t k = 0; k < samples.size(); ++k) {
    const float value[]{static_cast<float>(x[k])};
    average.add(value, samples[k]);
  }
  CHECK(double{mean_of(average, 1)[0]} == doctest::Approx(expected).epsilon(1e-6));
}

TEST_CASE("rounds of the same parameters have these as their mean, and rounds may be cut in two") {
  AveragedWeights same(100, 2), whole(100, 1), halves(100, 1);
  const std::vector<float> x{0.1F, -7}, zero(1), one(1, 1.0F);
  for (int round = 0; round < 9; ++round) same.add(x, 13);
  CHECK(mean_of(same, 2) == x);
  whole.add(zero, 1);
  halves.add(zero, 1);
  whole.add(one, 60);
  for (int half = 0; half < 2; ++half) halves.add(one, 30);
  CHECK(mean_of(whole, 1)[0] == doctest::Approx(mean_of(halves, 1)[0]).epsilon(1e-6));
}

}  // namespace
}  // namespace localbatch
