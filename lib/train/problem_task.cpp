#include "train/problem_task.h"

#include <utility>

#include "core/error.h"
#include "train/slot_pool.h"

namespace localbatch {

namespace {

std::optional<ResidentImages> load_images(const std::optional<DatasetFactory>& factory,
                                          const WorkerSettings& workers) {
  if (!factory) return {};
  const std::unique_ptr<Dataset> dataset = factory->load({});
  auto* const images = dynamic_cast<ResidentImages*>(dataset.get());
  if (images == nullptr)
    fail_input("dataset: found {}, allowed for a problem are images in memory",
               dataset->unit() == "images" ? "images in files" : dataset->unit());
  if (factory->partition({.count = images->train_size(), .classes = images->classes()},
                         workers.num_workers, workers.seed))
    fail_input(
        "dataset.partition: the workers of a problem draw from all its samples, allowed here is "
        "iid");
  return std::move(*images);
}

std::unique_ptr<const Problem> make_problem(const ProblemFactory& factory,
                                            const std::optional<ResidentImages>& images) {
  if (!images) return factory.make({});
  return factory.make({.shape = images->format().shape,
                       .num_classes = images->format().num_classes,
                       .pixels = images->train().pixels,
                       .labels = images->train().labels});
}

}  // namespace

ProblemTask::ProblemTask(const ProblemFactory& problem,
                         const std::optional<DatasetFactory>& dataset,
                         const WorkerSettings& workers)
    : images_(load_images(dataset, workers)),
      problem_(make_problem(problem, images_)),
      // Without a data set there is one epoch, the run.
      epoch_samples_(images_ ? static_cast<std::int64_t>(images_->train_size())
                             : workers.max_samples),
      setup_{.problem = *problem_,
             .trace = problem.trace,
             .seed = workers.seed,
             .inner_optimizer = workers.inner_optimizer,
             .passed_over = workers.passed_over} {}

TaskFacts ProblemTask::facts() const {
  std::vector<float> x(problem_->dimension());
  std::vector<double> gradient(x.size());
  problem_->initial_point(x);
  const ProblemFacts& known = problem_->facts();
  TaskFacts facts{
      .summary = fmt::format("smoothness {:.4g}, strong convexity {:.4g}, minimum {:.6g}",
                             known.smoothness, known.strong_convexity, known.minimum),
      .parameters = x.size(),
      .epoch_samples = epoch_samples_,
      .objective =
          KnownObjective{.smoothness = known.smoothness,
                         .strong_convexity = known.strong_convexity,
                         .minimum = known.minimum,
                         .initial_suboptimality = problem_->value(x, gradient) - known.minimum,
                         .initial_squared_distance = problem_->squared_distance(x)}};
  if (images_) {
    facts.summary += fmt::format(", {} {}", images_->train_size(), images_->unit());
    facts.train_samples = images_->train_size();
  }
  return facts;
}

std::uint64_t ProblemTask::data_checksum() const { return images_ ? images_->checksum() : 0; }

std::vector<MemoryPart> ProblemTask::memory(int hosted_workers, int /*slots*/) const {
  const std::size_t gradient = problem_->dimension() * sizeof(double);
  return {{"exact gradient", static_cast<std::size_t>(hosted_workers) * gradient},
          {"data set", problem_->data_bytes() + (images_ ? images_->bytes() : 0)}};
}

int ProblemTask::allocate(int hosted_workers, int cores) {
  return execution_slots(cores, 1, hosted_workers);
}

std::unique_ptr<TrainingWorker> ProblemTask::make_worker(Communicator& comm) {
  return std::make_unique<ProblemWorker>(setup_, comm);
}

std::unique_ptr<TrainingWorker> ProblemTask::make_dry_worker(Communicator& comm) const {
  return std::make_unique<ProblemWorker>(setup_, comm);
}

}  // namespace localbatch
