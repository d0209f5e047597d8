#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "bench/bench_report.h"
#include "bench/machine_peak.h"
#include "bench/rate.h"
#include "bench/tables.h"
#include "bench/tune_kernels.h"
#include "bench_options.h"
#include "comm/agreement.h"
#include "commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/machine.h"
#include "core/text.h"
#include "plan/interconnect.h"

namespace localbatch {

namespace {

void print_now(const std::string& text) {
  print("{}", text);
  std::fflush(stdout);
}

void print_fit(const InterconnectFit& fit, const std::vector<TimedAverage>& times,
               const std::string& remark) {
  std::vector<TextRow> rows{
      {"averages", "waits", "busiest link", "median ms", "fit ms", "residual %"}};
  for (std::size_t i = 0; i < times.size(); ++i) {
    const double milliseconds = 1e3 * times[i].seconds;
    rows.push_back({fmt::format("{} numbers", times[i].numbers), fmt::format("{}", times[i].waits),
                    size_text(static_cast<std::uint64_t>(times[i].bytes)),
                    fmt::format("{:.3f}", milliseconds),
                    fmt::format("{:.3f}", (1 + fit.residuals[i]) * milliseconds),
                    fmt::format("{:+.1f}", 100 * fit.residuals[i])});
  }
  print_now(fmt::format("{}\n\n{}\nlatency {:.3g} s for a wait, bandwidth {} per second\n", remark,
                        right_aligned(rows), fit.interconnect.latency,
                        size_text(static_cast<std::uint64_t>(fit.interconnect.bandwidth))));
}

/// Measures one thing after the other and prints each as soon as it is known.
class Bench {
 public:
  Bench(const BenchOptions& options, ProcessGroup& processes);

  void run();
  const BenchReport& report() const { return report_; }

 private:
  void measure_peaks();
  void train();
  void conv();
  void sync();
  void fit();
  void data();
  void tune();

  bool speaks() const { return processes_.rank() == 0; }
  ExecutionOptions execution(const BenchNetwork& network, Precision precision) const;

  /// Says so, or under --strict gives up, when other programs have used too much of the machine
  /// since `before`. What the other ranks of a job do looks like other programs.
  std::optional<double> check_load(const CpuSnapshot& before, std::string_view during);

  const BenchOptions& options_;
  ProcessGroup& processes_;
  BenchReport report_;
};

Bench::Bench(const BenchOptions& options, ProcessGroup& processes)
    : options_(options), processes_(processes) {
  report_.version = build_info().version;
  report_.commit = build_info().commit;
  report_.started = utc_now();
  report_.host = host_name();
  report_.cpu = cpu_model();
  report_.cores = static_cast<int>(reachable_cores().size());
  report_.threads = options.threads;
  report_.kernels = options.kernels.path.string();
}

std::optional<double> Bench::check_load(const CpuSnapshot& before, std::string_view during) {
  if (processes_.num_ranks() > 1) return {};
  const std::optional<double> load = foreign_load(before, look_at_cpus());
  if (!load) return load;
  report_.foreign_load = std::max(report_.foreign_load.value_or(0), *load);
  if (*load <= kTooMuchForeignLoad) return load;
  const std::string line = fmt::format(
      "bench: other programs used {:.0f} % of the cores {}; above {:.0f} % a measurement does not "
      "count",
      100 * *load, during, 100 * kTooMuchForeignLoad);
  if (options_.strict) fail_system("{}", line);
  print(stderr, "localbatch: warning: {}\n", line);
  return load;
}

ExecutionOptions Bench::execution(const BenchNetwork& network, Precision precision) const {
  return {.max_samples = options_.batch.value_or(network.batch),
          .threads = options_.threads,
          .precision = precision,
          .convolution = options_.convolution,
          .kernels = options_.kernels.choices};
}

void Bench::measure_peaks() {
  const CpuSnapshot before = look_at_cpus();
  report_.peaks.f32 = measure_peak(Precision::kFloat32, options_.threads);
  report_.peaks.bf16 = measure_peak(Precision::kBfloat16, options_.threads);
  check_load(before, "while the machine's peak was measured");
  const auto gflops = [](const std::optional<double>& peak) {
    return peak ? fmt::format("{:.0f} GFLOP/s", *peak / 1e9) : std::string("not measured");
  };
  print_now(fmt::format("{}, {} of {} cores; peak f32 {}, bf16 {}\n", report_.cpu, report_.threads,
                        report_.cores, gflops(report_.peaks.f32), gflops(report_.peaks.bf16)));
}

void Bench::train() {
  print_now("\ntraining steps\n" + titles(training_columns()));
  for (const BenchNetwork& network : options_.networks) {
    for (const Precision precision : options_.precisions) {
      const CpuSnapshot before = look_at_cpus();
      TrainingSpeed speed = measure_training(network, execution(network, precision),
                                             options_.train_seconds(), report_.peaks);
      speed.foreign_load = check_load(before, fmt::format("while {} was trained in {}",
                                                          network.name, precision_name(precision)));
      print_now(line_of(training_columns(), speed));
      report_.train.push_back(speed);
    }
  }
  print_now("\nmilliseconds of a step, on average over its threads\n" + titles(phase_columns()));
  for (const TrainingSpeed& speed : report_.train) print_now(line_of(phase_columns(), speed));
}

void Bench::conv() {
  print_now("\nconvolutions, GFLOP/s\n" + titles(convolution_columns()));
  for (const BenchNetwork& network : options_.networks) {
    for (const Precision precision : options_.precisions) {
      for (const ModelConvolution& convolution : convolutions_of(network)) {
        const CpuSnapshot before = look_at_cpus();
        ConvolutionSpeed speed = measure_convolution(
            network, convolution, execution(network, precision), options_.other_seconds());
        speed.foreign_load =
            check_load(before, fmt::format("while a convolution of {} was measured", network.name));
        print_now(line_of(convolution_columns(), speed));
        report_.conv.push_back(speed);
      }
    }
  }
}

void Bench::sync() {
  if (speaks()) print_now("\naverages over workers\n" + titles(synchronization_columns()));
  const int workers = options_.workers.value_or(std::max(2, processes_.num_ranks()));
  for (const BenchNetwork& network : options_.networks) {
    const CpuSnapshot before = look_at_cpus();
    SynchronizationSpeed speed = measure_synchronization(network, options_.payload, workers,
                                                         options_.other_seconds(), processes_);
    speed.foreign_load =
        check_load(before, fmt::format("while parameters of {} were averaged", network.name));
    if (speaks()) print_now(line_of(synchronization_columns(), speed));
    report_.sync.push_back(speed);
  }
}

/// Ranks of one host count as hosts where there is no other.
std::vector<int> measured_hosts(const ProcessGroup& processes) {
  std::vector<int> numbers = processes.hosts();
  std::ranges::sort(numbers);
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::vector<int> hosts;
  for (int rank = 0; rank < processes.num_ranks(); ++rank) {
    const int number = processes.hosts()[static_cast<std::size_t>(rank)];
    const auto place = std::ranges::lower_bound(numbers, number) - numbers.begin();
    hosts.push_back(numbers.size() == 1 ? rank : static_cast<int>(place));
  }
  return hosts;
}

void Bench::fit() {
  const int workers = options_.workers.value_or(processes_.num_ranks());
  const Placement placement{.workers = workers, .hosts = measured_hosts(processes_)};
  const TrafficForecast forecast(placement);
  std::vector<TimedAverage> times;
  for (std::size_t numbers = 1 << 10; numbers <= 1 << 22; numbers *= 4) {
    std::vector<double> seconds =
        measure_averages(numbers, workers, options_.other_seconds(), processes_);
    if (!speaks()) continue;
    const ExpectedTraffic sent = forecast.meeting({.averaged = {{.length = numbers}}});
    times.push_back({.numbers = numbers,
                     .waits = sent.waits,
                     .bytes = sent.busiest_link(),
                     .seconds = median(std::move(seconds))});
  }
  if (!speaks()) return;
  const InterconnectFit fit = fit_interconnect(times);
  const bool one_host = std::ranges::max(processes_.hosts()) == 0;
  const std::string remark = fmt::format(
      "{} of {} on {}", counted(workers, "worker"), counted(processes_.num_ranks(), "rank"),
      one_host ? "one host, each of which counts as a host: its memory, no network"
               : counted(placement.num_hosts(), "host"));
  print_fit(fit, times, remark);
  if (!options_.output.empty())
    write_file_atomically(options_.output,
                          interconnect_text(fit, times, placement.num_hosts(), remark));
}

void Bench::data() {
  const CpuSnapshot before = look_at_cpus();
  const double seconds = options_.other_seconds();
  DataSpeed speed =
      options_.images.empty() ? measure_data(seconds) : measure_files(seconds, options_.images);
  speed.foreign_load = check_load(before, "while images were prepared");
  for (const TrainingSpeed& training : report_.train)
    if (training.network.name == speed.network)
      speed.share_of_step =
          std::max(speed.share_of_step.value_or(0),
                   training.samples_per_second.median / speed.images_per_second.median);
  print_now("\npreparation of images\n" + titles(data_columns()) + line_of(data_columns(), speed));
  report_.data = speed;
}

void Bench::tune() {
  TuningLog log;
  log.execution = execution(options_.networks.front(), options_.precisions.front());
  std::vector<TunedConvolution>& tuned = log.tuned;
  print_now("\nkernels, by a step of a small network around a convolution\n" +
            titles(kernel_columns()));
  for (const BenchNetwork& network : options_.networks) {
    log.networks += (log.networks.empty() ? "" : ", ") + std::string(network.name);
    for (const ModelConvolution& convolution : convolutions_of(network)) {
      // Networks share convolutions.
      if (std::ranges::find(tuned, convolution.shape, &TunedConvolution::shape) != tuned.end())
        continue;
      const CpuSnapshot before = look_at_cpus();
      tuned.push_back(tune_convolution(convolution, log.execution, options_.other_seconds()));
      check_load(before, fmt::format("while kernels of {} were tried", network.name));
      print_now(line_of(kernel_columns(), tuned.back()));
    }
  }
  log.foreign_load = report_.foreign_load;
  write_file_atomically(options_.tune, kernels_text(log));
}

void Bench::run() {
  constexpr std::chrono::milliseconds kQuietTime{500};
  const CpuSnapshot before = look_at_cpus();
  if (processes_.num_ranks() == 1) std::this_thread::sleep_for(kQuietTime);
  check_load(before, "before anything was measured");
  if (options_.train || options_.conv) measure_peaks();
  if (options_.train) train();
  if (options_.conv) conv();
  if (options_.fit) return fit();
  if (options_.sync) sync();
  if (options_.data) data();
  if (!options_.tune.empty()) tune();
}

/// Many ranks are for `sync` alone: the rest is about one process, and others would disturb it.
void check_job(const BenchOptions& options, const ProcessGroup& processes) {
  const int ranks = processes.num_ranks();
  if (options.fit && ranks == 1)
    fail_input("bench: --fit: found 1 rank, expected one on each of some hosts, as by mpirun");
  if (ranks == 1) return;
  if (options.train || options.conv || options.data || !options.tune.empty())
    fail_input("bench: found {} ranks, only 'bench sync' is for more than one", ranks);
  if (options.strict)
    fail_input("bench: --strict: found {} ranks, can tell other programs from one only", ranks);
  if (options.workers.value_or(ranks) < ranks)
    fail_input("bench: --workers: found {}, needs at least one for each of {} ranks",
               *options.workers, ranks);
}

}  // namespace

int bench_command(std::span<const std::string> arguments) {
  const std::optional<BenchOptions> options = parse_bench_options(arguments);
  if (!options) return kSuccess;
  return with_processes(start_processes(), [&](ProcessGroup& processes) {
    agree(processes, [&] {
      check_job(*options, processes);
      return true;
    });
    Bench bench(*options, processes);
    bench.run();
    if (processes.rank() == 0 && !options->json.empty())
      write_file_atomically(options->json, to_json(bench.report()));
    return kSuccess;
  });
}

}  // namespace localbatch
