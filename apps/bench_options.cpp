#include "bench_options.h"

#include <fmt/core.h>

#include <algorithm>
#include <sstream>

#include "command_line.h"
#include "core/error.h"
#include "core/machine.h"
#include "core/text.h"

namespace localbatch {

namespace {

/// The command line before its words and numbers are checked.
struct Words {
  std::vector<std::string> what;
  std::optional<std::string> model, precision, json, tune, kernels, output;
  std::string convolution = "auto", payload = "f32", images;
  std::optional<int> batch, threads, workers;
  std::optional<double> seconds;
  bool strict = false, fit = false;
};

void declare_options(CommandLine& line, Words& words) {
  line.positional("what", words.what);
  line.option("model", "NAME,...", words.model,
              "resnet20, resnet18, resnet50, gpt_4x128, llama_4x128 (the default); resnet101 (on "
              "224 x 224 pixels), llama_6x256, gpt_6x384, stories15m");
  line.option("batch", "SAMPLES", words.batch,
              "micro-batch; default: 128, 64, 32, 12, 16; 16, 16, 16, 8");
  line.option("precision", "f32|bf16|both", words.precision,
              "default: both where the CPU multiplies bf16, else f32");
  line.option("threads", "N", words.threads, "of a worker; default: all cores");
  line.default_option("convolution", "auto|direct|winograd", words.convolution,
                      "the key of that name in an experiment file");
  line.option("seconds", "S", words.seconds,
              "of each measurement; default: 3 for train, 0.5 for the others");
  line.option("workers", "M", words.workers,
              "of sync; default: one on every rank, and two on a single one");
  line.default_option("payload", "f32|bf16|int8|int4", words.payload,
                      "of sync: how parameters travel, the key communication.parameters");
  line.option("images", "DIR", words.images,
              "of data: decode the JPEG files of this folder, which is laid out like ImageNet");
  line.option("json", "FILE", words.json, "write the numbers to a file as well");
  line.option("tune", "FILE", words.tune,
              "try kernels for each convolution and write the fastest to a file; for one precision "
              "(default: f32) and one micro-batch");
  line.option("kernels", "FILE", words.kernels, "use the kernels of such a file in train and conv");
  line.flag("fit", words.fit,
            "of sync alone: average arrays of 1 Ki to 4 Mi numbers between hosts, and find the "
            "latency and bandwidth that explain their times best");
  line.option("output", "FILE", words.output,
              "with --fit: write both to a file for 'plan --network-file'");
  line.flag("strict", words.strict, "end with status 1 when other programs disturb a measurement");
}

const std::vector<std::string>& kinds() {
  static const std::vector<std::string> kKinds{"train", "conv", "sync", "data"};
  return kKinds;
}

[[noreturn]] void fail_choice(std::string_view option, const std::string& found,
                              const std::vector<std::string>& allowed) {
  fail_input("bench: {}: found '{}', allowed is {}", option, found, allowed_names(found, allowed));
}

std::string choice(std::string_view option, const std::string& found,
                   const std::vector<std::string>& allowed) {
  if (std::ranges::find(allowed, found) == allowed.end()) fail_choice(option, found, allowed);
  return found;
}

/// The value that the word names in a table of names and values.
template <class Table>
auto named_value(std::string_view option, const std::string& word, const Table& table) {
  std::vector<std::string> names;
  for (const auto& [name, value] : table) {
    if (name == word) return value;
    names.emplace_back(name);
  }
  fail_choice(option, word, names);
}

template <class Number>
Number ranged(std::string_view option, Number found, Number min, Number max) {
  if (!(found >= min && found <= max))
    fail_input("bench: --{}: found {}, allowed is {} .. {}", option, found, min, max);
  return found;
}

std::vector<BenchNetwork> read_networks(const std::string& list) {
  std::vector<BenchNetwork> networks;
  std::istringstream names(list);
  for (std::string name; std::getline(names, name, ',');)
    networks.push_back(find_bench_network(name, "bench: --model"));
  if (networks.empty()) fail_input("bench: --model: found '', allowed is a list of networks");
  return networks;
}

std::vector<Precision> read_precisions(const std::string& word) {
  if (choice("--precision", word, {"f32", "bf16", "both"}) == "f32") return {Precision::kFloat32};
  if (!supports_bfloat16())
    fail_input("bench: --precision: found '{}', but this CPU does not multiply bf16", word);
  if (word == "bf16") return {Precision::kBfloat16};
  return {Precision::kFloat32, Precision::kBfloat16};
}

/// Networks on tokens have nothing to measure in conv and --tune: they are left out, and nothing
/// but them is refused.
void leave_out_networks_without_convolutions(BenchOptions& options, const Words& words) {
  const bool tune = words.tune.has_value();
  if (!options.conv && !tune) return;
  if (std::ranges::none_of(options.networks, &BenchNetwork::reads_images)) {
    options.conv = false;
    if (words.what.empty() && !tune) return;
    fail_input("bench: {}: found '{}', expected a network with convolutions",
               tune ? "--tune" : "conv", words.model.value_or(""));
  }
  if (tune)
    std::erase_if(options.networks, [](const auto& network) { return !network.reads_images(); });
}

/// A file of kernels is about one way of execution, and nothing else is measured beside it.
void check_tuning(const BenchOptions& options, const Words& words) {
  std::string other;
  if (words.workers) other = "--workers";
  if (words.kernels) other = "--kernels";
  if (words.json) other = "--json";
  if (!words.what.empty()) other = words.what.front();
  if (!other.empty()) fail_input("bench: --tune: found together with {}, expected alone", other);
  if (options.precisions.size() > 1)
    fail_input("bench: --tune: found --precision both, allowed is f32 | bf16");
  const auto other_batch = [&options](const BenchNetwork& network) {
    return network.batch != options.networks.front().batch;
  };
  if (!options.batch && std::ranges::any_of(options.networks, other_batch))
    fail_input(
        "bench: --tune: found networks with different micro-batches, expected --batch or one "
        "--model");
}

/// A fit is about averages between ranks, whatever networks there are.
void check_fit(const Words& words) {
  if (!words.fit) {
    if (words.output) fail_input("bench: --output: found without --fit, expected both");
    return;
  }
  if (words.what != std::vector<std::string>{"sync"})
    fail_input("bench: --fit: found {}, expected 'sync' alone",
               words.what.empty() ? "no measurement" : join(words.what, " "));
  for (const auto& [name, is_there] :
       {std::pair("model", words.model.has_value()), std::pair("json", words.json.has_value()),
        std::pair("tune", words.tune.has_value())})
    if (is_there) fail_input("bench: --fit: found together with --{}, expected one", name);
  if (words.output) check_can_hold_a_file("bench", "output", *words.output);
}

BenchOptions check_words(const Words& words) {
  BenchOptions options;
  for (const std::string& word : words.what) choice("measurement", word, kinds());
  const auto wants = [&words](const char* kind) {
    return (words.what.empty() && !words.tune) ||
           std::ranges::find(words.what, kind) != words.what.end();
  };
  options.train = wants("train");
  options.conv = wants("conv");
  options.sync = wants("sync");
  options.data = wants("data");

  const std::span<const BenchNetwork> usual = usual_bench_networks();
  options.networks.assign(usual.begin(), usual.end());
  if (words.model) options.networks = read_networks(*words.model);
  leave_out_networks_without_convolutions(options, words);
  if (words.batch) options.batch = ranged("batch", *words.batch, 1, 65536);
  const std::string precision = supports_bfloat16() && !words.tune ? "both" : "f32";
  options.precisions = read_precisions(words.precision.value_or(precision));
  options.threads = words.threads ? ranged("threads", *words.threads, 1, 1024) : available_cores();
  options.convolution = named_value("--convolution", words.convolution, kConvolutionRules);
  if (words.seconds) options.seconds = ranged("seconds", *words.seconds, 0.01, 3600.0);
  options.payload = named_value("--payload", words.payload, kPayloads);
  if (words.workers) options.workers = ranged("workers", *words.workers, 1, 65536);
  options.strict = words.strict;
  check_fit(words);
  options.fit = words.fit;
  options.output = words.output.value_or("");
  options.images = words.images;
  options.json = words.json.value_or("");
  if (words.json) check_can_hold_a_file("bench", "json", *words.json);
  options.tune = words.tune.value_or("");
  if (words.tune) {
    check_can_hold_a_file("bench", "tune", *words.tune);
    check_tuning(options, words);
  }
  if (words.kernels) options.kernels = read_kernels_file(*words.kernels);
  if (const KernelOverride* const other =
          kernel_against(options.kernels.choices, options.convolution))
    fail_input("bench: --kernels: found {} in {}, allowed with --convolution {} is {}",
               algorithm_name(other->choice), other->where, name_of(options.convolution),
               name_of(options.convolution));
  return options;
}

}  // namespace

std::optional<BenchOptions> parse_bench_options(std::span<const std::string> arguments) {
  Words words;
  CommandLine line("bench");
  declare_options(line, words);
  if (!line.read(
          arguments,
          "usage: localbatch bench [train] [conv] [sync] [data] [options]\n"
          "       localbatch bench --tune FILE [options]\n"
          "       mpirun -np RANKS localbatch bench sync [--fit [--output FILE]] [options]\n\n"
          "  train  whole training steps: images or tokens per second, share of the machine's\n"
          "         peak, milliseconds by phase, memory\n"
          "  conv   each convolution alone: GFLOP/s of its three passes\n"
          "  sync   averages of the parameters over the workers of this job\n"
          "  data   augmentation and normalization of images by one thread\n"))
    return {};
  return check_words(words);
}

}  // namespace localbatch
