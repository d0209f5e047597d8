#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/channel_block.h"
#include "core/error.h"
#include "core/matrix_product.h"
#include "optim/adam.h"
#include "optim/inner_optimizer.h"
#include "optim/scaled_gradient.h"

namespace localbatch {

namespace {

using Matrix = ParameterLayout::Matrix;

/// The nearest orthogonal matrix, about: every singular value becomes one between 0.7 and 1.2 by
/// steps of X = P X with P = a + b A + c A^2 and A = X X^T, which begin at X/(|X| + epsilon). The
/// matrix is kept with its shorter side as rows, as A is small then, and its rows are padded with
/// zeros. All P commute with A, so steps are taken on A alone, which becomes P A P, and X is
/// multiplied once, by the product Q of all P: less than half of the work where X is long.
class NewtonSchulz {
 public:
  explicit NewtonSchulz(const Matrix& matrix)
      : transposed_(matrix.rows > matrix.columns),
        rows_(std::min(matrix.rows, matrix.columns)),
        columns_(std::max(matrix.rows, matrix.columns)),
        row_step_(padded(rows_)),
        column_step_(padded(columns_)),
        x_(rows_ * column_step_),
        product_(rows_ * column_step_),
        x_transposed_(columns_ * row_step_),
        a_(rows_ * row_step_),
        p_(rows_ * row_step_),
        q_(rows_ * row_step_),
        square_(rows_ * row_step_) {}

  float& at(std::size_t row, std::size_t column) {
    return transposed_ ? x_.data()[column * column_step_ + row]
                       : x_.data()[row * column_step_ + column];
  }

  void orthogonalize(int steps) {
    constexpr double kAgainstZero = 1e-7;
    const auto factor = static_cast<float>(1 / (std::sqrt(squared_norm(x_.span())) + kAgainstZero));
    for (float& value : x_.span()) value *= factor;
    for (int taken = 0; taken < steps; taken += kStepsOfA) take(std::min(kStepsOfA, steps - taken));
  }

 private:
  static std::size_t padded(std::size_t count) {
    constexpr std::size_t kBlock = kChannelBlock;
    return (count + kBlock - 1) / kBlock * kBlock;
  }

  /// What rounding leaves in A where X has no singular value grows by a^2 with every step of A
  /// alone, so A is made from X again before it counts.
  static constexpr int kStepsOfA = 2;

  void take(int steps) {
    const auto rows = static_cast<std::ptrdiff_t>(rows_);
    const auto columns = static_cast<std::ptrdiff_t>(columns_);
    const auto row_step = static_cast<std::ptrdiff_t>(row_step_);
    const auto column_step = static_cast<std::ptrdiff_t>(column_step_);
    for (std::size_t row = 0; row < rows_; ++row)
      for (std::size_t column = 0; column < columns_; ++column)
        x_transposed_.data()[column * row_step_ + row] = x_.data()[row * column_step_ + column];
    multiply({x_.data(), column_step, 1}, x_transposed_.data(), row_step, {rows, columns, row_step},
             /*add=*/false, a_.data(), row_step);
    make_polynomial();
    std::ranges::copy(p_.span(), q_.data());
    for (int i = 1; i < steps; ++i) {
      replace_by_product(a_, p_, a_);
      replace_by_product(a_, a_, p_);
      make_polynomial();
      replace_by_product(q_, q_, p_);
    }
    multiply({q_.data(), row_step, 1}, x_.data(), column_step, {rows, rows, column_step},
             /*add=*/false, product_.data(), column_step);
    std::swap(x_, product_);
  }

  void make_polynomial() {
    constexpr float kA = 3.4445F, kB = -4.7750F, kC = 2.0315F;
    replace_by_product(p_, a_, a_);
    for (std::size_t i = 0; i < p_.size(); ++i)
      p_.data()[i] = kB * a_.data()[i] + kC * p_.data()[i];
    for (std::size_t i = 0; i < rows_; ++i) p_.data()[i * row_step_ + i] += kA;
  }

  /// product = left right of matrices [rows][rows]; product may be one of them.
  void replace_by_product(AlignedBuffer<float>& product, const AlignedBuffer<float>& left,
                          const AlignedBuffer<float>& right) {
    const auto rows = static_cast<std::ptrdiff_t>(rows_);
    const auto row_step = static_cast<std::ptrdiff_t>(row_step_);
    multiply({left.data(), row_step, 1}, right.data(), row_step, {rows, rows, row_step},
             /*add=*/false, square_.data(), row_step);
    std::swap(product, square_);
  }

  bool transposed_;
  std::size_t rows_, columns_;
  std::size_t row_step_, column_step_;  ///< rows_ and columns_ with their padding
  AlignedBuffer<float> x_, product_, x_transposed_, a_, p_, q_, square_;
};

double scale_of(const Matrix& matrix, MuonScale scale) {
  const auto rows = static_cast<double>(matrix.rows), columns = static_cast<double>(matrix.columns);
  return scale == MuonScale::kOriginal ? std::sqrt(std::max(1.0, rows / columns))
                                       : 0.2 * std::sqrt(std::max(rows, columns));
}

/// torch.optim.Muon for hidden matrices x with gradient g, learning rate lr:
///   u = momentum u + g,  O = orthogonalized u (Nesterov: g + momentum u),
///   x = (1 - lr weight_decay) x - lr scale O,
/// and AdamW with adamw_rate lr for all other parameters.
class Muon final : public InnerOptimizer {
 public:
  Muon(const MuonSettings& settings, const ParameterLayout& layout)
      : settings_(settings),
        matrices_(layout.hidden_matrices),
        others_(layout, Decay::kMatrices),
        size_(layout.size),
        state_(others_.state_size()) {}

  void step(std::span<float> parameters, std::span<const float> gradient, const StepSize& size,
            const ParallelFor& parallel_for) override {
    check(parameters.size() == size_ && gradient.size() == size_,
          "an optimizer always sees the same parameters");
    ++steps_;
    const AdamStep adam = adam_step(settings_, settings_.adamw_rate * size.learning_rate, steps_);
    // A matrix is moved as a whole, with the piece in which it begins.
    parallel_for(size_, [&](std::size_t first, std::size_t last) {
      for (const Matrix& matrix : matrices_)
        if (first <= matrix.first && matrix.first < last)
          move_matrix(matrix, parameters, gradient, size);
      others_.move(first, last, adam, size.gradient_factor, gradient, parameters, state_.span());
    });
  }

  std::span<float> state() override { return state_.span(); }
  std::int64_t& steps() override { return steps_; }

 private:
  void move_matrix(const Matrix& matrix, std::span<float> parameters,
                   std::span<const float> gradient, const StepSize& size) {
    const float momentum = static_cast<float>(settings_.momentum);
    const std::span<float> u = state_.span().subspan(matrix.first, matrix.size());
    std::vector<float> direction(u.size());
    for_scaled(gradient.subspan(matrix.first, matrix.size()), size.gradient_factor,
               [&](std::size_t first, std::span<const float> g) {
                 for (std::size_t i = 0; i < g.size(); ++i) {
                   float& velocity = u[first + i];
                   velocity = momentum * velocity + g[i];
                   direction[first + i] =
                       settings_.nesterov ? g[i] + momentum * velocity : velocity;
                 }
               });
    NewtonSchulz newton_schulz(matrix);
    for_each_place(matrix, [&](std::size_t row, std::size_t column, std::size_t place) {
      newton_schulz.at(row, column) = direction[place - matrix.first];
    });
    newton_schulz.orthogonalize(settings_.newton_schulz_steps);
    const auto keep = static_cast<float>(1 - size.learning_rate * settings_.weight_decay);
    const auto rate = static_cast<float>(size.learning_rate * scale_of(matrix, settings_.scale));
    for_each_place(matrix, [&](std::size_t row, std::size_t column, std::size_t place) {
      float& x = parameters[place];
      x = keep * x - rate * newton_schulz.at(row, column);
    });
  }

  template <class Body>
  static void for_each_place(const Matrix& matrix, const Body& body) {
    for (std::size_t row = 0; row < matrix.rows; ++row)
      for (std::size_t column = 0; column < matrix.columns; ++column)
        body(row, column, matrix.place(row, column));
  }

  MuonSettings settings_;
  std::vector<Matrix> matrices_;
  AdamParameters others_;
  std::size_t size_;
  /// Of every parameter its velocity or first moment, then the second moments.
  AlignedBuffer<float> state_;
  std::int64_t steps_ = 0;
};

}  // namespace

InnerOptimizerFactory make_muon(const MuonSettings& settings) {
  return {.at_sync = settings.at_sync,
          .make =
              [settings](const ParameterLayout& parameters) {
                return std::make_unique<Muon>(settings, parameters);
              },
          .clip_norm = settings.clip_norm};
}

InnerOptimizerFactory make_muon(Options& options) {
  MuonSettings settings;
  settings.momentum = options.number(
      "momentum", {.fallback = settings.momentum,
                   .min = 0,
                   .max = 0.9999,
                   .meaning = "share of the previous step's velocity that a hidden matrix keeps"});
  settings.nesterov = options.flag(
      "nesterov", {.fallback = settings.nesterov,
                   .meaning = "orthogonalize the gradient plus momentum times the velocity after "
                              "it, in place of the velocity"});
  settings.weight_decay = options.number(
      "weight_decay", {.fallback = settings.weight_decay,
                       .min = 0,
                       .max = 1e3,
                       .meaning = "each step shrinks matrices, filters and embeddings by this "
                                  "factor times the learning rate that they have"});
  settings.scale = options.choice<MuonScale>(
      "scale",
      {.fallback = settings.scale,
       .choices = {{"original", MuonScale::kOriginal}, {"match_adamw", MuonScale::kMatchAdamw}},
       .meaning = "how long the step of a hidden matrix is: original, sqrt(max(1, "
                  "rows/columns)) times the learning rate, or match_adamw, 0.2 "
                  "sqrt(max(rows, columns)) times it, for learning rates of AdamW"});
  settings.newton_schulz_steps =
      options.integer<int>("newton_schulz_steps",
                           {.fallback = settings.newton_schulz_steps,
                            .min = 1,
                            .max = 20,
                            .meaning = "steps of the iteration that makes a velocity orthogonal"});
  settings.adamw_rate = options.number(
      "adamw_rate",
      {.fallback = settings.adamw_rate,
       .min = 0,
       .max = 1e3,
       .meaning = "learning rate of all that is no hidden matrix, as a multiple of the learning "
                  "rate: embeddings, the first and the last layer, biases, normalizations"});
  read_moments(options, settings);
  settings.clip_norm = read_clip_norm(options);
  settings.at_sync = read_at_sync(
      options,
      "what a synchronization does to each worker's velocities and moments: keep them, average "
      "them over workers, or reset them and the step count to 0");
  return make_muon(settings);
}

}  // namespace localbatch
