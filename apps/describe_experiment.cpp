#include "describe_experiment.h"

#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <vector>

#include "command_line.h"
#include "commands.h"
#include "core/error.h"
#include "experiment/run_request.h"
#include "nn/layer_kernels.h"
#include "nn/library_info.h"
#include "text_table.h"

namespace localbatch {

namespace {

namespace po = boost::program_options;

void print_network(const Experiment& experiment) {
  const Dataset dataset = experiment.load_dataset();
  const Model model = experiment.make_model(dataset.shape, dataset.num_classes);
  check_kernels_are_used(experiment.kernels, model);
  const ExecutionOptions execution = execution_options(experiment, experiment.micro_batch);
  fmt::print(
      "{} parameters, {:.1f} million multiply-adds an image forward\n"
      "{}, convolution: {}, micro-batch {}, oneDNN {} ({})\n\n",
      total_size(parameter_tensors(model)), 1e-6 * static_cast<double>(multiply_adds(model)),
      precision_name(execution.precision), name_of(execution.convolution), execution.max_images,
      onednn_version(), onednn_instruction_set());
  std::vector<TextRow> rows{{"layer", "convolution", "images per slice", "algorithm"}};
  for (const LayerKernel& kernel : layer_kernels(model, execution))
    rows.push_back({kernel.layer, to_string(kernel.shape),
                    fmt::format("{}", kernel.choice.images_per_slice),
                    std::string(algorithm_name(kernel.choice))});
  if (rows.size() > 1)
    print_left_aligned(rows);
  else
    fmt::print("no convolutions\n");
}

}  // namespace

int describe_experiment(std::span<const std::string> arguments) {
  std::string file;
  RunRequest request;
  request.cpu_has_bfloat16 = true;  // to look at
  int cell = 1;
  po::options_description visible("options");
  visible.add_options()("set", po::value(&request.settings)->value_name("KEY=VALUE")->composing(),
                        "change a key of the experiment file, as run does")(
      "cell", po::value(&cell)->value_name("N"), "of a file with a sweep; default: 1");
  read_command_line("describe", visible, {.name = "file", .value = po::value(&file)}, arguments);
  request.file = file;
  request.cell = cell;
  const RequestedRun run = read_request(request);
  if (const std::string name = cell_name(run.coordinates); !name.empty())
    fmt::print("cell {} ({}): ", cell, name);
  if (run.experiment.problem.make)
    fmt::print("a problem, without a network\n");
  else
    print_network(run.experiment);
  return kSuccess;
}

}  // namespace localbatch
