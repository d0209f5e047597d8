#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/make_node.h"
#include "core/random.h"
#include "problems/logistic_regression.h"
#include "problems/noisy_problems.h"

namespace localbatch {

/// Images of 4 x 6 pixels and labels below 4, both by chance.
struct RandomImages {
  explicit RandomImages(std::size_t count) : pixels(count * 24), labels(count) {
    RandomStream random(5, Purpose::kTest);
    for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random.below(256));
    for (Label& label : labels) label = static_cast<Label>(random.below(4));
  }

  LabelledImages view() const {
    return {.shape = {.channels = 1, .height = 4, .width = 6},
            .num_classes = 4,
            .pixels = pixels,
            .labels = labels};
  }

  std::vector<std::uint8_t> pixels;
  std::vector<Label> labels;
};

using Keys = std::vector<std::pair<std::string, std::string>>;

/// What an experiment file with these keys makes.
inline ProblemFactory read_problem(const std::string& name, const Keys& keys) {
  std::vector<std::pair<std::string, Node>> entries{{"name", scalar(name)}};
  for (const auto& [key, value] : keys) entries.emplace_back(key, scalar(value));
  const Node mapping = map(entries);
  Options options(mapping);
  ProblemFactory factory = make_part(problem_table(), options, "", "");
  options.finish();
  return factory;
}

/// The problem, with images for those that want some.
inline std::unique_ptr<const Problem> make(const ProblemFactory& factory,
                                           const RandomImages& images = RandomImages(60)) {
  return factory.make(images.view());
}

/// One of each kind, small, without noise.
inline std::vector<std::unique_ptr<const Problem>> small_problems() {
  std::vector<std::unique_ptr<const Problem>> problems;
  problems.push_back(
      make(make_quadratic({.dimension = 5, .smallest_eigenvalue = 0.25, .largest_eigenvalue = 4})));
  problems.push_back(make(make_cosine({.dimension = 4})));
  problems.push_back(make(make_logistic_regression({}, {.ridge = 0.1})));
  problems.push_back(make(make_logistic_regression({.samples = 50, .pool = 2}, {})));
  problems.push_back(
      make(make_generated_logistic_regression({.samples = 80, .features = 3}, {.ridge = 0.01})));
  return problems;
}

/// A point by chance, in [-1.5, 1.5] and of short binary fractions, so that small moves are exact.
inline std::vector<float> random_point(std::size_t dimension, std::uint64_t which) {
  RandomStream random(7, Purpose::kTest, which);
  std::vector<float> x(dimension);
  for (float& value : x) value = (static_cast<float>(random.below(3 * 64 + 1)) - 1.5F * 64) / 64.0F;
  return x;
}

inline std::vector<double> gradient_of(const Problem& problem, const std::vector<float>& x) {
  std::vector<double> gradient(x.size());
  problem.value(x, gradient);
  return gradient;
}

inline double value_of(const Problem& problem, const std::vector<float>& x) {
  std::vector<double> gradient(x.size());
  return problem.value(x, gradient);
}

inline std::vector<double> sample_of(const Problem& problem, const std::vector<float>& x,
                                     const ProblemBatch& batch) {
  std::vector<double> gradient(x.size());
  problem.sampled_gradient(x, batch, gradient);
  return gradient;
}

}  // namespace localbatch
