#include "bench_options.h"

#include <fmt/ranges.h>

#include <boost/program_options.hpp>
#include <iostream>
#include <sstream>

#include "command_line.h"
#include "core/error.h"
#include "core/machine.h"

namespace localbatch {

namespace {

namespace po = boost::program_options;

/// The command line as words and numbers, before anybody knows whether they make sense.
struct Words {
  std::vector<std::string> what;
  std::string model, precision, convolution, images, json, tune, kernels;
  int batch = 0, threads = 0, workers = 0;
  double seconds = 0;
  bool strict = false;
};

po::options_description visible_options(Words& words) {
  po::options_description visible("options");
  const auto add = [&visible](const char* name, const po::value_semantic* value,
                              const char* meaning) { visible.add_options()(name, value, meaning); };
  visible.add_options()("help,h", "print this text");
  add("model", po::value(&words.model)->value_name("NAME,..."),
      "resnet20, resnet18, resnet50, resnet101 (on 224 x 224 pixels); default: all but the last");
  add("batch", po::value(&words.batch)->value_name("IMAGES"),
      "micro-batch; default: 128, 64, 32, 16");
  add("precision", po::value(&words.precision)->value_name("f32|bf16|both"),
      "default: both where the CPU multiplies bf16, else f32");
  add("threads", po::value(&words.threads)->value_name("N"), "of a worker; default: all cores");
  add("convolution",
      po::value(&words.convolution)->value_name("auto|direct|winograd")->default_value("auto"),
      "the key of that name in an experiment file");
  add("seconds", po::value(&words.seconds)->value_name("S"),
      "of each measurement; default: 3 for train, 0.5 for the others");
  add("workers", po::value(&words.workers)->value_name("M"),
      "of sync; default: one on every rank, and two on a single one");
  add("images", po::value(&words.images)->value_name("DIR"),
      "of data: decode the JPEG files of this folder, which is laid out like ImageNet");
  add("json", po::value(&words.json)->value_name("FILE"), "write the numbers to a file as well");
  add("tune", po::value(&words.tune)->value_name("FILE"),
      "try kernels for each convolution and write the fastest to a file; for one precision "
      "(default: f32) and one micro-batch");
  add("kernels", po::value(&words.kernels)->value_name("FILE"),
      "use the kernels of such a file in train and conv");
  add("strict", po::bool_switch(&words.strict),
      "end with status 1 when other programs disturb a measurement");
  return visible;
}

const std::vector<std::string>& kinds() {
  static const std::vector<std::string> kKinds{"train", "conv", "sync", "data"};
  return kKinds;
}

[[noreturn]] void fail_choice(std::string_view option, const std::string& found,
                              const std::vector<std::string>& allowed) {
  fail_input("bench: {}: found '{}', allowed is {}{}", option, found, fmt::join(allowed, " | "),
             did_you_mean(found, allowed));
}

std::string choice(std::string_view option, const std::string& found,
                   const std::vector<std::string>& allowed) {
  if (std::ranges::find(allowed, found) == allowed.end()) fail_choice(option, found, allowed);
  return found;
}

ConvolutionRule read_convolution_rule(const std::string& word) {
  std::vector<std::string> names;
  for (const auto& [name, rule] : kConvolutionRules) {
    if (name == word) return rule;
    names.emplace_back(name);
  }
  fail_choice("--convolution", word, names);
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

/// A file of kernels is about one way of execution, and nothing else is measured beside it.
void check_tuning(const BenchOptions& options, const Words& words, const po::variables_map& given) {
  for (const char* const other : {"what", "json", "kernels", "workers"})
    if (given.count(other) > 0)
      fail_input(
          "bench: --tune: found together with {}, expected alone",
          other == std::string_view("what") ? words.what.front() : fmt::format("--{}", other));
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

BenchOptions check_words(const Words& words, const po::variables_map& given) {
  BenchOptions options;
  for (const std::string& word : words.what) choice("measurement", word, kinds());
  const bool tunes = given.count("tune") > 0;
  const auto wants = [&words, tunes](const char* kind) {
    return (words.what.empty() && !tunes) ||
           std::ranges::find(words.what, kind) != words.what.end();
  };
  options.train = wants("train");
  options.conv = wants("conv");
  options.sync = wants("sync");
  options.data = wants("data");

  const std::span<const BenchNetwork> usual = usual_bench_networks();
  options.networks.assign(usual.begin(), usual.end());
  if (given.count("model") > 0) options.networks = read_networks(words.model);
  if (given.count("batch") > 0) options.batch = ranged("batch", words.batch, 1, 65536);
  const std::string precision = supports_bfloat16() && !tunes ? "both" : "f32";
  options.precisions = read_precisions(given.count("precision") > 0 ? words.precision : precision);
  options.threads = available_cores();
  if (given.count("threads") > 0) options.threads = ranged("threads", words.threads, 1, 1024);
  options.convolution = read_convolution_rule(words.convolution);
  if (given.count("seconds") > 0) options.seconds = ranged("seconds", words.seconds, 0.01, 3600.0);
  if (given.count("workers") > 0) options.workers = ranged("workers", words.workers, 1, 65536);
  options.strict = words.strict;
  options.images = words.images;
  options.json = words.json;
  if (given.count("json") > 0) check_can_hold_a_file("bench", "json", options.json);
  options.tune = words.tune;
  if (tunes) {
    check_can_hold_a_file("bench", "tune", options.tune);
    check_tuning(options, words, given);
  }
  if (given.count("kernels") > 0) options.kernels = read_kernels_file(words.kernels);
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
  const po::options_description visible = visible_options(words);
  const po::variables_map given = read_command_line(
      "bench", visible, {.name = "what", .value = po::value(&words.what), .most = -1}, arguments);
  if (given.count("help") > 0) {
    std::cout << "usage: localbatch bench [train] [conv] [sync] [data] [options]\n"
                 "       localbatch bench --tune FILE [options]\n"
                 "       mpirun -np RANKS localbatch bench sync [options]\n\n"
                 "  train  whole training steps: images per second, share of the machine's peak,\n"
                 "         milliseconds by phase, memory\n"
                 "  conv   each convolution alone: GFLOP/s of its three passes\n"
                 "  sync   averages of the parameters over the workers of this job\n"
                 "  data   augmentation and normalization of images by one thread\n\n"
              << visible << std::flush;
    return {};
  }
  return check_words(words, given);
}

}  // namespace localbatch
