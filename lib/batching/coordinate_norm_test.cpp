#include <algorithm>
#include <array>
#include <string>

#include "batching/batch_size_controller.h"
#include "core/error.h"

namespace localbatch {

namespace {

constexpr std::array<std::string_view, kCoordinateShares.size()> kShareNames{"0.5", "0.9", "0.99",
                                                                             "0.999", "1"};

/// The norm test of every coordinate i by itself (method.md 2.1):
///   variance_i/N <= eta^2 g_i^2 for a share of the coordinates; the definition asks for all.
class CoordinateNormTest final : public BatchSizeController {
 public:
  CoordinateNormTest(double eta, std::size_t share) : eta_(eta), share_(share) {}

  StatisticsNeeds needs() const override { return {.variance = true, .coordinates = true}; }

  Wish wish(const BatchContext& round, const GradientStatistics& statistics) const override {
    Wish wish{.local_batch_size = static_cast<double>(round.local_batch_size)};
    if (const auto reason = unusable(statistics)) {
      wish.reason = *reason;
      return wish;
    }
    check(statistics.coordinate_ratios.has_value(), "what a controller needs is measured");
    wish.test = Inequality{
        (*statistics.coordinate_ratios)[share_] / static_cast<double>(statistics.global_batch_size),
        eta_ * eta_};
    wish.reason = wish.test->passes() ? Reason::kPass : Reason::kGrow;
    wish.local_batch_size = batch_size_to_pass(*wish.test, statistics);
    return wish;
  }

 private:
  double eta_;
  std::size_t share_;
};

}  // namespace

BatchSizeControllerMade make_coordinate_norm_test(Options& options) {
  const double eta = options.number(
      "eta", {.fallback = 0.8,
              .min = 1e-3,
              .max = 1e3,
              .meaning = "the batch grows when the standard deviation of a coordinate of the mean "
                         "gradient exceeds eta times its value (0.8 is a suggestion, not the "
                         "paper's)"});
  const std::string share = options.choice(
      "share", {.fallback = "1",
                .choices = {kShareNames.begin(), kShareNames.end()},
                .meaning = "of the coordinates that must pass; 1 is the definition, and decided by "
                           "the one coordinate that is nearest to 0"});
  const auto found = std::ranges::find(kShareNames, share);
  return std::make_shared<CoordinateNormTest>(
      eta, static_cast<std::size_t>(found - kShareNames.begin()));
}

}  // namespace localbatch
