#include "printers.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "commands.h"
#include "core/machine.h"
#include "core/text.h"

namespace localbatch {

namespace {

/// The only control characters of the program, for a terminal: what it shows is written anew.
void control(const char* sequence) { std::fputs(sequence, stdout); }

void erase_line() { control("\r\033[K"); }

/// mpirun and srun give a process a terminal of its own and pass on what it writes there, to a
/// batch log as well; only a program that was started directly knows where its output goes.
bool writes_to_terminal() {
  const bool launched = std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr ||
                        std::getenv("PMI_SIZE") != nullptr ||
                        std::getenv("SLURM_STEP_ID") != nullptr;
  return !launched && ::isatty(STDOUT_FILENO) == 1;
}

}  // namespace

std::string duration(double seconds) {
  const long whole = std::lround(seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

namespace {

/// To two digits.
std::string time_left(const RunProgress& progress) {
  if (progress.samples >= progress.max_samples) return "done";
  const double seconds = progress.seconds_left;
  if (seconds < 60) return fmt::format("{:.0f} s left", seconds);
  const bool hours = seconds >= 3600;
  const double count = seconds / (hours ? 3600 : 60);
  return fmt::format("{:.{}f} {} left", count, count < 10 ? 1 : 0, hours ? "h" : "min");
}

/// "181/s", or "46.3k tokens/s" of texts
std::string speed(const RunProgress& progress) {
  if (progress.tokens_per_sample == 0) return fmt::format("{:.0f}/s", progress.samples_per_second);
  const double tokens = progress.samples_per_second * progress.tokens_per_sample;
  return tokens < 1e4 ? fmt::format("{:.0f} tokens/s", tokens)
                      : fmt::format("{:.1f}k tokens/s", tokens / 1e3);
}

/// "b 64  H 4  181/s  2.3 min left"
std::string pace(const RunProgress& progress) {
  return fmt::format("b {}  H {}  {}  {}", progress.local_batch_size, progress.sync_interval,
                     speed(progress), time_left(progress));
}

std::string found(const TestResult& test) {
  if (test.gap)
    return fmt::format("F {:.6g}  F - F* {:.3e}  |grad F|^2 {:.3e}", test.loss,
                       test.gap->suboptimality, test.gap->squared_gradient_norm);
  std::string text = fmt::format("test loss {:.4f}", test.loss);
  if (const auto perplexity = test_perplexity(test))
    text += fmt::format("  perplexity {:.4g}", *perplexity);
  if (const auto bits = test_bits_per_byte(test))
    text += fmt::format("  bits per byte {:.4f}", *bits);
  if (const auto accuracy = test_accuracy(test))
    text += fmt::format("  test accuracy {:.2f} %", 100 * *accuracy);
  if (const auto& held_out = test.validation)
    text += fmt::format("  validation loss {:.4f}  accuracy {:.2f} %", held_out->loss,
                        100 * held_out->accuracy());
  return text;
}

/// " (20480000 tokens, 46312 a second)", and nothing where samples are no texts.
std::string tokens_of(const RunResult& result) {
  if (result.tokens_per_sample == 0) return "";
  const std::int64_t tokens = result.samples * result.tokens_per_sample;
  return fmt::format(" ({} tokens, {:.0f} a second)", tokens,
                     static_cast<double>(tokens) / std::max(result.seconds, 1e-9));
}

}  // namespace

std::string evaluation_line(const RunProgress& progress, const EvaluationRow& row) {
  std::string line = fmt::format("{:>8} samples  ", row.samples);
  if (row.test.gap) {
    // Of a known minimum people watch the distance; the rest is in the curves.
    line += fmt::format("F {:.4g}  F - F* {:.2e}  |grad F|^2 {:.2e}", row.test.loss,
                        row.test.gap->suboptimality, row.test.gap->squared_gradient_norm);
  } else {
    line += fmt::format("epoch {:>5.2f}  loss {:.4f}  test {:.4f}", row.epoch, row.train_loss,
                        row.test.loss);
    // Of texts the loss says more than how many tokens are guessed, and speeds take the room.
    if (row.test.images) line += fmt::format(" {:.2f}%", 100 * test_accuracy(row.test).value());
    if (const std::optional<SetResult>& held_out = row.test.validation) {
      line += fmt::format("  validation {:.4f}", held_out->loss);
      if (row.test.images) line += fmt::format(" {:.2f}%", 100 * held_out->accuracy());
    }
    if (row.averaged) {
      line += fmt::format("  mean {:.4f}", row.averaged->loss);
      if (row.test.images) line += fmt::format(" {:.2f}%", 100 * row.averaged->accuracy());
    }
  }
  return fmt::format("{}  {}", line, pace(progress));
}

ProgressPrinter::ProgressPrinter(Shown shown, bool force)
    : shown_(shown), force_(force), terminal_(writes_to_terminal()) {}

RunEvents ProgressPrinter::events() {
  RunEvents events;
  events.on_warning = [](const std::string& text) {
    print(stderr, "localbatch: warning: {}\n", text);
  };
  if (shown_ >= Shown::kEnds)
    events.on_start = [this](const RunStart& start) { print_start(start); };
  if (shown_ >= Shown::kEvaluations)
    events.on_evaluation = [this](const RunProgress& progress, const EvaluationRow& row) {
      print_evaluation(progress, row);
    };
  if (shown_ >= Shown::kUsual)
    events.on_round = [this](const RunProgress& progress) { print_progress(progress); };
  return events;
}

double ProgressPrinter::seconds_between_lines() const {
  if (terminal_) return 0.2;
  return shown_ == Shown::kRounds ? 5 : 60;
}

void ProgressPrinter::print_start(const RunStart& start) {
  // Who asks for rounds sees the first one at once.
  printed_ = terminal_ || shown_ == Shown::kRounds ? -seconds_between_lines() : 0;
  print("{}: {} parameters, {}, {} samples\n", start.experiment, start.task.parameters,
        start.task.summary, start.max_samples);
  print("{} of {} on {}, {} at a time on a rank; results in {}\n", counted(start.workers, "worker"),
        counted(start.threads_per_worker, "thread"), counted(start.ranks, "rank"), start.slots,
        start.folder.string());
  if (start.resumed_round > 0) print("goes on after round {}\n", start.resumed_round);
  if (terminal_ && shown_ >= Shown::kUsual) print("round {} ...", start.resumed_round + 1);
  std::fflush(stdout);
}

void ProgressPrinter::print_progress(const RunProgress& progress) {
  if (progress.seconds < printed_ + seconds_between_lines()) return;
  printed_ = progress.seconds;
  if (terminal_) erase_line();
  print("round {}  {} of {} samples  loss {:.4f}  {}{}", progress.round, progress.samples,
        progress.max_samples, progress.loss, pace(progress), terminal_ ? "" : "\n");
  std::fflush(stdout);
}

void ProgressPrinter::print_evaluation(const RunProgress& progress, const EvaluationRow& row) {
  printed_ = progress.seconds;
  if (terminal_) erase_line();
  print("{}\n", evaluation_line(progress, row));
  std::fflush(stdout);
}

void ProgressPrinter::print_result(const RunResult& result) const {
  if (shown_ == Shown::kNothing) {
    if (result.outcome == Outcome::kDiverged)
      print(stderr, "localbatch: {}: diverged in round {}\n", result.folder.string(),
            result.rounds);
    return;
  }
  if (terminal_) erase_line();
  if (result.had_finished) {
    print("had finished already; results in {}\n", result.folder.string());
    return;
  }
  if (result.outcome == Outcome::kStopped) {
    print("stopped after round {}; {}the same command goes on from there\n", result.rounds,
          force_ ? "without --force " : "");
    return;
  }
  if (result.outcome == Outcome::kDiverged)
    print("diverged in round {}: loss or parameters are not finite\n", result.rounds);
  else
    print("final {} after {} samples{} in {}\n", found(result.last_evaluation.test), result.samples,
          tokens_of(result), duration(result.seconds));
  print("local batch size {} -> {} in {} rounds\n", result.first_local_batch_size,
        result.last_local_batch_size, result.rounds);
  print("curves in {}\n", result.folder.string());
}

namespace {

std::string_view name_of(RunStatus status) {
  constexpr std::array<std::string_view, 5> kNames{"waiting", "started", "finished", "diverged",
                                                   "failed"};
  return kNames[static_cast<std::size_t>(status)];
}

}  // namespace

std::string_view state_of(const CellProgress& cell) {
  if (cell.status != RunStatus::kUnfinished || !cell.in_use) return name_of(cell.status);
  return *cell.in_use ? "running" : "stopped";
}

namespace {

/// The part of a key that a person calls an axis by.
std::string short_name(const std::string& axis) { return axis.substr(axis.rfind('.') + 1); }

std::string progress_of(const CellProgress& cell) {
  if (cell.status == RunStatus::kFailed) return cell.failure.substr(0, cell.failure.find('\n'));
  if (cell.samples == 0) return "";
  const auto done = static_cast<double>(cell.samples), all = static_cast<double>(cell.max_samples);
  if (cell.status != RunStatus::kUnfinished) return "in " + duration(cell.seconds);
  std::string text = fmt::format("{:.0f} %", 100 * done / all);
  if (cell.in_use.value_or(true))
    text += fmt::format(", {} left", duration(cell.seconds / done * std::max(0.0, all - done)));
  if (cell.seconds_since_round)
    text += fmt::format(", last round {} ago", duration(*cell.seconds_since_round));
  return text;
}

/// Cells of products with other axes have other coordinates.
std::vector<std::string> axes_of(const std::vector<CellProgress>& cells) {
  std::vector<std::string> axes;
  for (const CellProgress& cell : cells)
    for (const auto& coordinate : cell.coordinates)
      if (std::ranges::find(axes, coordinate.axis) == axes.end()) axes.push_back(coordinate.axis);
  return axes;
}

TextRow row_of(const CellProgress& cell, const std::vector<std::string>& axes) {
  TextRow row{cell.number > 0 ? fmt::format("{}", cell.number) : cell.folder.string()};
  for (const std::string& axis : axes) {
    const auto found = std::ranges::find(cell.coordinates, axis, &SweepCell::Coordinate::axis);
    row.push_back(found == cell.coordinates.end() ? "" : found->value);
  }
  row.emplace_back(state_of(cell));
  row.push_back(progress_of(cell));
  return row;
}

/// Whether they are of a sweep, or runs in a folder.
bool are_cells(const std::vector<CellProgress>& cells) {
  return cells.empty() || cells.front().number > 0;
}

std::ptrdiff_t count(const std::vector<CellProgress>& cells, RunStatus status) {
  return std::ranges::count(cells, status, &CellProgress::status);
}

}  // namespace

void print_sum(const std::vector<CellProgress>& cells) {
  const std::ptrdiff_t to_do =
      count(cells, RunStatus::kMissing) + count(cells, RunStatus::kUnfinished);
  print("{}", counted(std::ssize(cells), are_cells(cells) ? "cell" : "run"));
  const char* separator = ": ";
  for (const RunStatus status : {RunStatus::kFinished, RunStatus::kDiverged, RunStatus::kFailed}) {
    if (count(cells, status) == 0) continue;
    print("{}{} {}", separator, count(cells, status), name_of(status));
    separator = ", ";
  }
  if (to_do > 0) print("{}{} to do", separator, to_do);
  const std::optional<double> left = seconds_left(cells);
  if (left && *left > 0)
    print("; {} left at the speed so far, one after the other", duration(*left));
  print("\n");
}

void print_cells(const std::vector<CellProgress>& cells) {
  const std::vector<std::string> axes = axes_of(cells);
  TextRow head{are_cells(cells) ? "cell" : "run"};
  for (const std::string& axis : axes) head.push_back(short_name(axis));
  head.insert(head.end(), {"state", "progress"});
  std::vector<TextRow> rows{head};
  for (const CellProgress& cell : cells) rows.push_back(row_of(cell, axes));
  print("{}", left_aligned(rows));
  print_sum(cells);
}

void print_finding(const Diagnosis& found, std::string_view where) {
  print("{:<9}{}{}\n", severity_name(found.severity), where, found.text);
  if (!found.advice.empty()) print("{:<9}-> {}\n", "", found.advice);
}

void begin_picture(bool is_first) {
  if (writes_to_terminal())
    control("\033[H\033[2J");
  else if (!is_first)
    print("\n-------- {}\n\n", utc_now());
}

std::string title_of(const CellProgress& cell) {
  std::string title = fmt::format("cell {}", cell.number);
  const char* separator = " (";
  for (const auto& [axis, value] : cell.coordinates) {
    title += fmt::format("{}{}={}", separator, short_name(axis), value);
    separator = ", ";
  }
  return cell.coordinates.empty() ? title : title + ")";
}

SweepEvents SweepPrinter::events() {
  SweepEvents events;
  events.run = run_.events();
  events.on_cell_end = [this](const RunResult& result) { run_.print_result(result); };
  events.on_failure = [](const std::exception& error) {
    print(stderr, "localbatch: {}\n", error.what());
  };
  if (shown_ == Shown::kNothing) return events;
  events.on_sweep = [](const std::vector<CellProgress>& cells) {
    print_sum(cells);
    std::fflush(stdout);
  };
  events.on_cell = [](const CellProgress& cell) {
    print("\n{}\n", title_of(cell));
    std::fflush(stdout);
  };
  return events;
}

}  // namespace localbatch
