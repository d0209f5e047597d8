#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "nn/network.h"

namespace localbatch {

namespace {

/// Bigrams: a table of logits, a row for the token at hand, a column for the one that follows.
class DummyModel final : public Model {
 public:
  explicit DummyModel(const SampleShape& sample) : sample_(sample) {
    if (!std::holds_alternative<TokenWindow>(sample.input))
      fail_input("model: a dummy reads tokens");
  }

  SampleShape sample() const override { return sample_; }
  std::vector<TensorView> parameter_tensors() const override {
    const auto tokens = static_cast<std::size_t>(sample_.num_classes);
    return {{"logits", {sample_.num_classes, sample_.num_classes}, 0, 0, tokens * tokens}};
  }
  std::vector<TensorView> running_moment_tensors() const override { return {}; }
  void initialize_parameters(std::uint64_t /*seed*/, std::span<float> canonical) const override {
    std::ranges::fill(canonical, 0.0F);
  }
  void initialize_running_moments(std::span<float> /*moments*/) const override {}
  std::int64_t multiply_adds() const override { return 0; }
  std::vector<LayerKernel> kernels(const ExecutionOptions& /*options*/) const override {
    return {};
  }
  std::unique_ptr<Network> make_network(const ExecutionOptions& options) const override;
  std::size_t predicted_bytes(const ExecutionOptions& /*options*/) const override { return 0; }

 private:
  SampleShape sample_;
};

class DummyNetwork final : public Network {
 public:
  DummyNetwork(const DummyModel& model, int max_samples)
      : model_(model),
        max_samples_(max_samples),
        tokens_(static_cast<std::size_t>(model.sample().num_classes)) {}

  const Model& model() const override { return model_; }
  int max_samples() const override { return max_samples_; }

  void to_canonical(std::span<const float> parameters, std::span<float> canonical) const override {
    std::ranges::copy(parameters, canonical.begin());
  }
  void from_canonical(std::span<const float> canonical,
                      std::span<float> parameters) const override {
    std::ranges::copy(canonical, parameters.begin());
  }

  void load(std::span<const float> parameters, std::span<float> /*running_moments*/) override {
    parameters_ = parameters;
  }

  double train(const Batch& batch, double weight, std::span<float> gradient,
               GradientUse use) override {
    if (use == GradientUse::kReplace) std::ranges::fill(gradient, 0.0F);
    const auto count = static_cast<double>(batch.targets.size());
    return pass(batch, weight / count, gradient).loss_sum / count;
  }

  double sample_gradients(const Batch& batch, std::span<float> gradient, GradientUse use,
                          const SampleSums& sums) override {
    check(sums.squared_norms.empty() && sums.inner_products.empty(), "a dummy has no norms");
    return train(batch, batch.samples, gradient, use);
  }

  void measure_moments(const Batch& /*batch*/) override {}

  Evaluation evaluate(const Batch& batch) override { return pass(batch, 0, {}); }

  void for_each(int count, const std::function<void(int)>& work) override {
    for (int i = 0; i < count; ++i) work(i);
  }

  double forward_seconds() const override { return 0; }
  double backward_seconds() const override { return 0; }
  PhaseSeconds phase_seconds() const override { return {}; }

 private:
  /// Adds `weight` times the gradient of the sum of the losses, unless `gradient` is empty.
  Evaluation pass(const Batch& batch, double weight, std::span<float> gradient) const {
    Evaluation sums{.count = static_cast<std::int64_t>(batch.targets.size())};
    for (std::size_t i = 0; i < batch.targets.size(); ++i) {
      std::int32_t token = 0;
      std::memcpy(&token, &batch.inputs[i * sizeof token], sizeof token);
      const std::size_t row = static_cast<std::size_t>(token) * tokens_;
      const auto target = static_cast<std::size_t>(batch.targets[i]);
      const std::span<const float> logits = parameters_.subspan(row, tokens_);
      double normalizer = 0;
      for (const float logit : logits) normalizer += std::exp(double{logit});
      sums.loss_sum += std::log(normalizer) - double{logits[target]};
      sums.correct += std::ranges::max(logits) == logits[target] ? 1 : 0;
      for (std::size_t j = 0; j < tokens_ && !gradient.empty(); ++j)
        gradient[row + j] += static_cast<float>(
            weight * (std::exp(double{logits[j]}) / normalizer - (j == target ? 1 : 0)));
    }
    return sums;
  }

  DummyModel model_;
  int max_samples_;
  std::size_t tokens_;
  std::span<const float> parameters_;
};

std::unique_ptr<Network> DummyModel::make_network(const ExecutionOptions& options) const {
  return std::make_unique<DummyNetwork>(*this, options.max_samples);
}

}  // namespace

ModelFactory make_dummy_model(Options& /*options*/) {
  return {.make = [](const SampleShape& sample) { return std::make_unique<DummyModel>(sample); }};
}

}  // namespace localbatch
