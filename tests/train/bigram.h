#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/files.h"
#include "data/dataset.h"
#include "nn/network.h"

// The smallest language model, from outside of the library: nothing in lib knows text.

namespace localbatch {

constexpr std::size_t kBytes = 256;

/// Windows of a text, one at every place, whose tokens are its bytes.
class TextWindows final : public Dataset {
 public:
  TextWindows(std::string train, std::string test, int length)
      : train_(std::move(train)), test_(std::move(test)), length_(length) {}

  std::size_t train_size() const override { return windows(train_); }
  std::size_t test_size() const override { return windows(test_); }
  SampleShape sample_shape() const override {
    return {.input = TokenWindow{.length = length_}, .num_classes = static_cast<int>(kBytes)};
  }
  std::string_view unit() const override { return "windows"; }
  std::optional<SampleClasses> classes() const override { return std::nullopt; }
  void write_training_sample(const Draw& draw, std::uint64_t /*seed*/,
                             const SamplePlace& to) const override {
    write(train_, draw.sample, to);
  }
  bool write_test_sample(std::size_t index, const SamplePlace& to) const override {
    write(test_, index, to);
    return true;
  }
  bool write_plain_training_sample(std::size_t index, const SamplePlace& to) const override {
    write(train_, index, to);
    return true;
  }
  double bytes_per_target() const override { return 1; }
  std::uint64_t checksum() const override {
    return localbatch::checksum(std::as_bytes(std::span(std::string_view(train_ + test_))));
  }
  std::size_t bytes() const override { return train_.size() + test_.size(); }

 private:
  std::size_t windows(const std::string& text) const {
    return text.size() - static_cast<std::size_t>(length_);
  }
  void write(const std::string& text, std::size_t first, const SamplePlace& to) const {
    auto* const tokens = reinterpret_cast<std::int32_t*>(to.input.data());
    for (std::size_t t = 0; t < to.targets.size(); ++t) {
      tokens[t] = static_cast<unsigned char>(text[first + t]);
      to.targets[t] = static_cast<unsigned char>(text[first + t + 1]);
    }
  }

  std::string train_, test_;
  int length_;
};

/// Row a of its only tensor has the logits of what follows byte a.
class BigramModel final : public Model {
 public:
  explicit BigramModel(const SampleShape& sample) : sample_(sample) {}

  SampleShape sample() const override { return sample_; }
  std::vector<TensorView> parameter_tensors() const override {
    const int side = static_cast<int>(kBytes);
    return {{.name = "bigram.weight", .dims = {side, side}, .size = kBytes * kBytes}};
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
  std::size_t predicted_bytes(const ExecutionOptions& /*options*/) const override {
    return kBytes * kBytes * sizeof(float);
  }

 private:
  SampleShape sample_;
};

/// Cross entropy of the byte that follows, by the book.
class BigramNetwork final : public Network {
 public:
  BigramNetwork(const BigramModel& model, int max_samples)
      : model_(model), max_samples_(max_samples) {}

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
    double loss = 0;
    for (int sample = 0; sample < batch.samples; ++sample)
      loss += add_gradient(batch, sample, weight / batch.samples, gradient);
    return loss / batch.samples;
  }

  double sample_gradients(const Batch& batch, std::span<float> gradient, GradientUse use,
                          const SampleSums& sums) override {
    if (!gradient.empty() && use == GradientUse::kReplace) std::ranges::fill(gradient, 0.0F);
    double loss = 0;
    for (int sample = 0; sample < batch.samples; ++sample) {
      std::vector<float> own(kBytes * kBytes);
      loss += add_gradient(batch, sample, 1, own);
      const auto i = static_cast<std::size_t>(sample);
      if (!sums.squared_norms.empty()) sums.squared_norms[i] = squared_norm(own);
      if (!sums.inner_products.empty()) sums.inner_products[i] = inner_product(own, sums.direction);
      const double weight = sums.weights.empty() ? 1 : sums.weights[i];
      for (std::size_t k = 0; k < gradient.size(); ++k)
        gradient[k] += static_cast<float>(weight * double{own[k]});
    }
    return loss / batch.samples;
  }

  void measure_moments(const Batch& /*batch*/) override {}

  Evaluation evaluate(const Batch& batch) override {
    Evaluation sum;
    const std::int32_t* const tokens = tokens_of(batch);
    for (std::size_t t = 0; t < batch.targets.size(); ++t) {
      const std::span<const float> logits = row(tokens[t]);
      const std::int32_t target = batch.targets[t];
      sum.loss_sum += log_of_sum(logits) - double{logits[static_cast<std::size_t>(target)]};
      sum.correct += std::ranges::max_element(logits) - logits.begin() == target ? 1 : 0;
      ++sum.count;
    }
    return sum;
  }

  void for_each(int count, const std::function<void(int)>& work) override {
    for (int i = 0; i < count; ++i) work(i);
  }
  double forward_seconds() const override { return 0; }
  double backward_seconds() const override { return 0; }
  PhaseSeconds phase_seconds() const override { return {}; }

 private:
  static const std::int32_t* tokens_of(const Batch& batch) {
    return reinterpret_cast<const std::int32_t*>(batch.inputs.data());
  }
  std::span<const float> row(std::int32_t token) const {
    return parameters_.subspan(static_cast<std::size_t>(token) * kBytes, kBytes);
  }
  static double log_of_sum(std::span<const float> logits) {
    double sum = 0;
    for (const float logit : logits) sum += std::exp(double{logit});
    return std::log(sum);
  }

  /// Adds weight * (gradient of the mean loss of the sample's tokens); returns that loss.
  double add_gradient(const Batch& batch, int sample, double weight, std::span<float> gradient) {
    const std::size_t length = batch.targets.size() / static_cast<std::size_t>(batch.samples);
    const std::int32_t* const tokens = tokens_of(batch);
    double loss = 0;
    for (std::size_t t = static_cast<std::size_t>(sample) * length;
         t < static_cast<std::size_t>(sample + 1) * length; ++t) {
      const std::span<const float> logits = row(tokens[t]);
      const auto target = static_cast<std::size_t>(batch.targets[t]);
      const double log_sum = log_of_sum(logits);
      loss += (log_sum - double{logits[target]}) / static_cast<double>(length);
      const std::span<float> to =
          gradient.subspan(static_cast<std::size_t>(tokens[t]) * kBytes, kBytes);
      const double scale = weight / static_cast<double>(length);
      for (std::size_t k = 0; k < kBytes; ++k) {
        const double error = std::exp(double{logits[k]} - log_sum) - (k == target ? 1 : 0);
        to[k] += static_cast<float>(scale * error);
      }
    }
    return loss;
  }

  const BigramModel& model_;
  int max_samples_;
  std::span<const float> parameters_;
};

inline std::unique_ptr<Network> BigramModel::make_network(const ExecutionOptions& options) const {
  return std::make_unique<BigramNetwork>(*this, options.max_samples);
}

}  // namespace localbatch
