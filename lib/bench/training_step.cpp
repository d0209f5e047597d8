#include "bench/training_step.h"

#include <algorithm>

#include "bench/networks.h"
#include "core/random.h"
#include "nn/initialization.h"

namespace localbatch {

namespace {

constexpr std::uint64_t kSeed = 1;

/// So small that thousands of steps on the same images change nothing that costs time.
constexpr double kLearningRate = 1e-3;

}  // namespace

TrainingStep::TrainingStep(const Model& model, const ExecutionOptions& execution)
    : network_(model, execution),
      optimizer_(bench_optimizer().make(network_.parameter_count())),
      parameters_(network_.parameter_count()),
      gradient_(network_.parameter_count()),
      statistics_(network_.statistics_count()),
      images_(static_cast<std::size_t>(execution.max_images) * model.input().size()),
      labels_(static_cast<std::size_t>(execution.max_images)) {
  std::vector<float> canonical(parameters_.size());
  initialize_parameters(model, kSeed, canonical);
  network_.from_canonical(canonical, parameters_.span());
  initialize_statistics(model, statistics_.span());
  RandomStream random(kSeed, Purpose::kTest);
  for (float& pixel : images_.span()) pixel = random.normal();
  for (Label& label : labels_)
    label = static_cast<Label>(random.below(static_cast<std::uint32_t>(model.num_classes())));
}

void TrainingStep::run() {
  const PieceRunner run_pieces = network_.piece_runner();
  network_.load(parameters_.span(), statistics_.span());
  network_.train_micro_batch(images_.span(), labels_, 1, gradient_.span(), GradientUse::kReplace);
  const Stopwatch::Scope timed(optimizer_watch_);
  optimizer_->step(parameters_.span(), gradient_.span(), kLearningRate, run_pieces);
}

std::size_t TrainingStep::worker_bytes() const {
  return sizeof(float) * (parameters_.size() + gradient_.size() + optimizer_->state().size() +
                          statistics_.size() + images_.size());
}

}  // namespace localbatch
