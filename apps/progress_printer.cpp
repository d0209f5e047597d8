#include "progress_printer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "duration.h"

namespace localbatch {

namespace {

constexpr const char* kEraseLine = "\r\033[K";

/// mpirun and srun give a process a terminal of its own and pass on what it writes there, to a
/// batch log as well; only a program that was started directly knows where its output goes.
bool writes_to_terminal() {
  const bool launched = std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr ||
                        std::getenv("PMI_SIZE") != nullptr ||
                        std::getenv("SLURM_STEP_ID") != nullptr;
  return !launched && ::isatty(STDOUT_FILENO) == 1;
}

/// Extrapolates the time per sample so far, evaluations included.
std::string time_left(const RunProgress& progress) {
  const auto done = static_cast<double>(progress.samples);
  const auto left = static_cast<double>(progress.max_samples - progress.samples);
  return left <= 0 ? "done" : duration(progress.seconds / done * left) + " left";
}

/// What is minimized: images for a network, constants for a problem whose theory is known.
std::string task(const RunStart& start) {
  if (!start.problem)
    return fmt::format("{} training and {} test images", start.train_images, start.test_images);
  std::string text = fmt::format("smoothness {:.4g}, strong convexity {:.4g}, minimum {:.6g}",
                                 start.problem->smoothness, start.problem->strong_convexity,
                                 start.problem->minimum);
  if (start.train_images > 0) text += fmt::format(", {} images", start.train_images);
  return text;
}

std::string found(const TestResult& test) {
  if (test.gap)
    return fmt::format("F {:.6g}  F - F* {:.3e}  |grad F|^2 {:.3e}", test.loss,
                       test.gap->suboptimality, test.gap->squared_gradient_norm);
  std::string text = fmt::format("test loss {:.4f}", test.loss);
  if (const auto accuracy = test_accuracy(test))
    text += fmt::format("  test accuracy {:.2f} %", 100 * *accuracy);
  return text;
}

}  // namespace

ProgressPrinter::ProgressPrinter() : terminal_(writes_to_terminal()) {}

RunEvents ProgressPrinter::events() {
  return {
      .on_start = [this](const RunStart& start) { print_start(start); },
      .on_round = [this](const RunProgress& progress) { print_progress(progress); },
      .on_evaluation = [this](const RunProgress& progress,
                              const EvaluationRow& row) { print_evaluation(progress, row); },
      .on_warning =
          [](const std::string& text) { fmt::print(stderr, "localbatch: warning: {}\n", text); }};
}

void ProgressPrinter::print_start(const RunStart& start) {
  redrawn_ = -1;
  fmt::print("{}: {} parameters, {}, {} samples\n", start.experiment, start.parameters, task(start),
             start.max_samples);
  fmt::print("{} workers of {} thread{} on {} rank{}, {} at a time on a rank; results in {}\n",
             start.workers, start.threads_per_worker, start.threads_per_worker == 1 ? "" : "s",
             start.ranks, start.ranks == 1 ? "" : "s", start.slots, start.folder.string());
  if (start.resumed_round > 0) fmt::print("goes on after round {}\n", start.resumed_round);
  std::fflush(stdout);
}

void ProgressPrinter::print_progress(const RunProgress& progress) {
  constexpr double kSecondsBetweenRedraws = 0.2;
  if (!terminal_ || progress.seconds < redrawn_ + kSecondsBetweenRedraws) return;
  redrawn_ = progress.seconds;
  fmt::print("{}{} of {} samples, loss {:.4f}, b {}, {:.0f} samples/s, {}", kEraseLine,
             progress.samples, progress.max_samples, progress.loss, progress.local_batch_size,
             progress.samples_per_second, time_left(progress));
  std::fflush(stdout);
}

void ProgressPrinter::print_evaluation(const RunProgress& progress, const EvaluationRow& row) {
  fmt::print("{}samples {:>9}  epoch {:>6.2f}  loss {:.4f}  {}  b {}  H {}  {:.0f} samples/s  {}\n",
             terminal_ ? kEraseLine : "", row.samples, row.epoch, row.train_loss, found(row.test),
             row.local_batch_size, row.sync_interval, progress.samples_per_second,
             time_left(progress));
  std::fflush(stdout);
}

void ProgressPrinter::print_result(const RunResult& result) const {
  if (terminal_) fmt::print("{}", kEraseLine);
  if (result.had_finished) {
    fmt::print("had finished already; results in {}\n", result.folder.string());
    return;
  }
  if (result.outcome == Outcome::kStopped) {
    fmt::print("stopped after round {}; the same command goes on from there\n", result.rounds);
    return;
  }
  if (result.outcome == Outcome::kDiverged)
    fmt::print("diverged in round {}: loss or parameters are not finite\n", result.rounds);
  else
    fmt::print("final {} after {} samples in {}\n", found(result.last_evaluation.test),
               result.samples, duration(result.seconds));
  fmt::print("local batch size {} -> {} in {} rounds\n", result.first_local_batch_size,
             result.last_local_batch_size, result.rounds);
  fmt::print("curves in {}\n", result.folder.string());
}

}  // namespace localbatch
