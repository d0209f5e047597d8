#include "bench/tables.h"

namespace localbatch {

namespace {

constexpr std::string_view kNotMeasured = "-";

std::string scaled(const std::optional<double>& value, double factor, int decimals) {
  return value ? fmt::format("{:.{}f}", factor * *value, decimals) : std::string(kNotMeasured);
}

std::string percent(const std::optional<double>& share) { return scaled(share, 100, 1); }
std::string gflops(const std::optional<double>& flop_per_second) {
  return scaled(flop_per_second, 1e-9, 0);
}
std::string mebibytes(std::size_t bytes) {
  return fmt::format("{:.0f}", static_cast<double>(bytes) / (1 << 20));
}

std::string kernel_text(const KernelCandidate& candidate) {
  return fmt::format("{}, {} images", algorithm_name(candidate.choice),
                     candidate.choice.images_per_slice);
}

std::string median_of(const std::optional<Rate>& rate, int decimals) {
  return rate ? scaled(rate->median, 1, decimals) : std::string(kNotMeasured);
}

std::string best_rate(const TrainingSpeed& row) {
  if (const std::optional<Rate> images = row.images_per_second()) return scaled(images->best, 1, 1);
  return scaled(row.tokens_per_second()->best, 1, 0);
}

template <Phase kPhase>
std::string milliseconds_of(const TrainingSpeed& row) {
  if (!row.phases) return std::string(kNotMeasured);
  return fmt::format("{:.2f}", (*row.phases)[static_cast<std::size_t>(kPhase)]);
}

// The columns that say what a row is about.
template <class Row>
constexpr TableColumn<Row> kNetwork{"network", 12,
                                    [](const Row& row) { return std::string(row.network.name); }};
template <class Row>
constexpr TableColumn<Row> kBatch{
    "batch", 7, [](const Row& row) { return fmt::format("{}", row.execution.max_samples); }};
template <class Row>
constexpr TableColumn<Row> kPrecision{"precision", 10, [](const Row& row) {
                                        return std::string(precision_name(row.execution.precision));
                                      }};

}  // namespace

std::span<const TableColumn<TrainingSpeed>> training_columns() {
  using Row = TrainingSpeed;
  static constexpr std::array kColumns{
      kNetwork<Row>,
      kBatch<Row>,
      kPrecision<Row>,
      TableColumn<Row>{"images/s", 10,
                       [](const Row& row) { return median_of(row.images_per_second(), 1); }},
      TableColumn<Row>{"tokens/s", 10,
                       [](const Row& row) { return median_of(row.tokens_per_second(), 0); }},
      TableColumn<Row>{"best", 10, best_rate},
      TableColumn<Row>{"% of peak", 11, [](const Row& row) { return percent(row.share_of_peak); }},
      TableColumn<Row>{"% of limit", 12,
                       [](const Row& row) { return percent(row.share_of_limit); }},
      TableColumn<Row>{"MiB predicted", 15,
                       [](const Row& row) {
                         return row.predicted_bytes ? mebibytes(*row.predicted_bytes)
                                                    : std::string(kNotMeasured);
                       }},
      TableColumn<Row>{"measured", 10,
                       [](const Row& row) { return mebibytes(row.measured_bytes); }},
  };
  return kColumns;
}

std::span<const TableColumn<TrainingSpeed>> phase_columns() {
  using Row = TrainingSpeed;
  constexpr auto kName = [](Phase phase) { return kPhaseNames[static_cast<std::size_t>(phase)]; };
  static constexpr std::array kColumns{
      kNetwork<Row>,
      kBatch<Row>,
      kPrecision<Row>,
      TableColumn<Row>{"step ms", 11,
                       [](const Row& row) { return scaled(row.step_milliseconds, 1, 2); }},
      TableColumn<Row>{kName(Phase::kForward), 11, milliseconds_of<Phase::kForward>},
      TableColumn<Row>{kName(Phase::kBackwardData), 15, milliseconds_of<Phase::kBackwardData>},
      TableColumn<Row>{kName(Phase::kBackwardWeights), 18,
                       milliseconds_of<Phase::kBackwardWeights>},
      TableColumn<Row>{kName(Phase::kElementwise), 13, milliseconds_of<Phase::kElementwise>},
      TableColumn<Row>{kName(Phase::kWeights), 9, milliseconds_of<Phase::kWeights>},
      TableColumn<Row>{kName(Phase::kWaiting), 9, milliseconds_of<Phase::kWaiting>},
      TableColumn<Row>{"optimizer", 11,
                       [](const Row& row) { return scaled(row.optimizer_milliseconds, 1, 2); }},
  };
  return kColumns;
}

std::span<const TableColumn<ConvolutionSpeed>> convolution_columns() {
  using Row = ConvolutionSpeed;
  static constexpr std::array kColumns{
      kNetwork<Row>,
      kBatch<Row>,
      kPrecision<Row>,
      TableColumn<Row>{"convolution", 26,
                       [](const Row& row) { return to_string(row.convolution.shape); }},
      TableColumn<Row>{"layers", 8,
                       [](const Row& row) { return fmt::format("{}", row.convolution.layers); }},
      TableColumn<Row>{"forward", 10, [](const Row& row) { return gflops(row.forward); }},
      TableColumn<Row>{"backward data", 15,
                       [](const Row& row) { return gflops(row.backward_data); }},
      TableColumn<Row>{"weights GFLOP/s", 17,
                       [](const Row& row) { return gflops(row.backward_weights); }},
  };
  return kColumns;
}

std::span<const TableColumn<TunedConvolution>> kernel_columns() {
  using Row = TunedConvolution;
  static constexpr std::array kColumns{
      TableColumn<Row>{"convolution", 26, [](const Row& row) { return to_string(row.shape); }},
      TableColumn<Row>{"rule", 22, [](const Row& row) { return kernel_text(row.rule()); }},
      TableColumn<Row>{"ms", 10,
                       [](const Row& row) { return scaled(row.rule().median_seconds, 1e3, 3); }},
      TableColumn<Row>{"choice", 22, [](const Row& row) { return kernel_text(row.choice()); }},
      TableColumn<Row>{"ms", 10,
                       [](const Row& row) { return scaled(row.choice().median_seconds, 1e3, 3); }},
  };
  return kColumns;
}

std::span<const TableColumn<SynchronizationSpeed>> synchronization_columns() {
  using Row = SynchronizationSpeed;
  static constexpr std::array kColumns{
      kNetwork<Row>,
      TableColumn<Row>{"parameters", 12,
                       [](const Row& row) { return fmt::format("{}", row.parameters); }},
      TableColumn<Row>{"as", 6, [](const Row& row) { return std::string(name_of(row.payload)); }},
      TableColumn<Row>{"workers", 9, [](const Row& row) { return fmt::format("{}", row.workers); }},
      TableColumn<Row>{"ranks", 7, [](const Row& row) { return fmt::format("{}", row.ranks); }},
      TableColumn<Row>{"average ms", 12,
                       [](const Row& row) { return scaled(row.median_seconds, 1e3, 3); }},
      TableColumn<Row>{"best", 10, [](const Row& row) { return scaled(row.best_seconds, 1e3, 3); }},
      TableColumn<Row>{"GB/s", 8,
                       [](const Row& row) { return scaled(row.bytes_per_second, 1e-9, 2); }},
  };
  return kColumns;
}

std::span<const TableColumn<DataSpeed>> data_columns() {
  using Row = DataSpeed;
  static constexpr std::array kColumns{
      TableColumn<Row>{"images/s", 12,
                       [](const Row& row) { return scaled(row.images_per_second.median, 1, 0); }},
      TableColumn<Row>{"best", 10,
                       [](const Row& row) { return scaled(row.images_per_second.best, 1, 0); }},
      TableColumn<Row>{"% of a step", 13,
                       [](const Row& row) { return percent(row.share_of_step); }},
      TableColumn<Row>{"of", 12, [](const Row& row) { return std::string(row.network); }},
  };
  return kColumns;
}

}  // namespace localbatch
