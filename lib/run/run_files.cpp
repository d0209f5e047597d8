#include "run/run_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>
#include <sstream>

#include "comm/launch.h"
#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "core/machine.h"
#include "core/safetensors.h"
#include "core/text.h"
#include "experiment/experiment.h"
#include "nn/execution.h"
#include "run/run_experiment.h"
#include "train/worker.h"

namespace localbatch {

namespace {

/// Names of hosts, paths and variables may be any bytes, and are no reason not to run.
void write_json(const std::filesystem::path& path, const Json& json) {
  write_file_atomically(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

/// The variables that change how the libraries run or say where the job runs.
Environment environment() {
  constexpr std::array<std::string_view, 5> kOthers{"OMP_", "GOMP_", "DNNL_", "ONEDNN_", "SLURM_"};
  Environment variables = variables_with(kOthers);
  variables.merge(variables_with(kMpiVariables));
  return variables;
}

/// The constants that a problem's theory starts from; null for a network.
Json problem_facts(const std::optional<KnownObjective>& problem) {
  if (!problem) return {};
  const auto& distance = problem->initial_squared_distance;
  return {{"smoothness", problem->smoothness},
          {"strong_convexity", problem->strong_convexity},
          {"minimum", problem->minimum},
          {"initial_suboptimality", problem->initial_suboptimality},
          {"initial_squared_distance", or_null(distance)}};
}

/// The kernel of each convolution of a network.
Json kernels_json(const std::optional<NetworkFacts>& network) {
  Json list = Json::array();
  if (!network) return list;
  for (const LayerKernel& kernel : network->model->kernels(network->execution))
    list.push_back({{"layer", kernel.layer},
                    {"algorithm", algorithm_name(kernel.choice)},
                    {"images_per_slice", kernel.choice.images_per_slice}});
  return list;
}

static_assert(std::endian::native == std::endian::little, "files are little-endian");
constexpr const char* kValues = "final_parameters.f32";
constexpr const char* kIndex = "final_parameters.csv";

/// What lies where in the file of values.
std::string index_of(std::span<const TensorView> tensors) {
  std::string index = "name,dims,offset,size\n";
  for (const TensorView& tensor : tensors)
    index += fmt::format("{},{},{},{}\n", tensor.name, join(tensor.dims, "x"), tensor.offset,
                         tensor.size);
  return index;
}

/// Throws an InputError for the first line that differs.
void check_index(const std::filesystem::path& path, const std::string& expected) {
  std::istringstream found_lines(read_text(path)), expected_lines(expected);
  for (int number = 1; found_lines && expected_lines; ++number) {
    std::string found, wanted;
    std::getline(found_lines, found);
    std::getline(expected_lines, wanted);
    if (found != wanted)
      fail_input("{}: line {}: found '{}', expected '{}', as the run's model has it", path.string(),
                 number, found, wanted);
  }
}

}  // namespace

void write_manifest(const std::filesystem::path& folder, const RunRequest& request,
                    const RunStart& start) {
  const BuildInfo build = build_info();
  const std::optional<NetworkFacts>& network = start.task.network;
  const std::string name = start.resumed_round == 0
                               ? "manifest.json"
                               : fmt::format("manifest-from-{}.json", start.resumed_round);
  write_json(folder / name,
             {{"started", utc_now()},
              {"resumed_after_round", start.resumed_round},
              {"command_line", request.command_line},
              {"experiment_file", request.file.string()},
              {"version", build.version},
              {"commit", build.commit},
              {"compiler", build.compiler},
              {"build_type", build.build_type},
              {"march", build.march},
              {"built_for", compiled_instruction_sets()},
              {"onednn", onednn_version()},
              {"instruction_set", onednn_instruction_set()},
              {"mpi", mpi_library_version()},
              {"host", host_name()},
              {"cpu", cpu_model()},
              {"ranks", start.ranks},
              {"workers", start.workers},
              {"threads_per_worker", start.threads_per_worker},
              {"execution_slots_per_rank", start.slots},
              {"cores_of_rank_0", start.cores},
              {"precision", precision_name(network ? network->execution.precision : Precision())},
              {"convolution", network ? Json(name_of(network->execution.convolution)) : Json()},
              {"kernels", kernels_json(network)},
              {"parameters", start.task.parameters},
              {"data", start.data == 0 ? Json() : Json(fmt::format("{:016x}", start.data))},
              {"problem", problem_facts(start.task.objective)},
              {"environment", environment()}});
}

bool is_manifest_of_resumption(const std::filesystem::path& file) {
  return file.filename().string().starts_with("manifest-from-") && file.extension() == ".json";
}

void write_summary(const std::filesystem::path& folder, const Experiment& experiment,
                   const RunResult& result) {
  const EvaluationRow& last = result.last_evaluation;
  const bool evaluated = last.round > 0;
  const std::optional<SetResult>& validation = last.test.validation;
  const std::optional<SetResult>& averaged = last.averaged;
  const auto if_evaluated = [evaluated](std::optional<double> value) {
    return evaluated ? or_null(value) : Json();
  };
  // Of the whole run, evaluations included; of tokens where samples are texts.
  const auto rate = [&result](int of_sample) -> Json {
    if (of_sample == 0 || result.seconds <= 0) return {};
    return static_cast<double>(result.samples) * of_sample / result.seconds;
  };
  write_json(folder / "summary.json",
             {{"schema_version", kSchemaVersion},
              {"experiment", experiment.name},
              {"outcome", result.outcome == Outcome::kFinished ? "finished" : "diverged"},
              {"rounds", result.rounds},
              {"samples", result.samples},
              {"test_loss", if_evaluated(last.test.loss)},
              {"test_accuracy", if_evaluated(test_accuracy(last.test))},
              {"validation_loss", validation ? Json(validation->loss) : Json()},
              {"validation_accuracy", validation ? Json(validation->accuracy()) : Json()},
              {"averaged_test_loss", averaged ? Json(averaged->loss) : Json()},
              {"averaged_test_accuracy", averaged ? Json(averaged->accuracy()) : Json()},
              {"test_perplexity", if_evaluated(test_perplexity(last.test))},
              {"test_bits_per_byte", if_evaluated(test_bits_per_byte(last.test))},
              {"first_local_batch_size", result.first_local_batch_size},
              {"last_local_batch_size", result.last_local_batch_size},
              {"seconds", result.seconds},
              {"samples_per_second", rate(1)},
              {"tokens_per_second", rate(result.tokens_per_sample)},
              {"communication", to_json(result.communication)}});
}

void write_final_model(const std::filesystem::path& folder, const FinalModel& model) {
  AtomicFile values(folder / kValues);
  values.output().write(std::as_bytes(std::span(model.values)));
  values.finish();
  write_file_atomically(folder / kIndex, index_of(model.tensors));
  std::vector<FloatTensor> tensors;
  tensors.reserve(model.tensors.size());
  for (const TensorView& tensor : model.tensors)
    tensors.push_back({.name = tensor.name,
                       .shape = {tensor.dims.begin(), tensor.dims.end()},
                       .values = std::span(model.values).subspan(tensor.offset, tensor.size)});
  write_safetensors(folder / "final_parameters.safetensors", tensors);
}

std::vector<float> read_final_model(const std::filesystem::path& folder,
                                    std::span<const TensorView> tensors) {
  if (is_there(folder / kIndex)) check_index(folder / kIndex, index_of(tensors));
  const MappedFile file(folder / kValues);
  const std::size_t expected = total_size(tensors) * sizeof(float);
  if (file.bytes().size() != expected)
    fail_input("{}: found {} bytes, expected {} for the {} parameters of the run's model",
               (folder / kValues).string(), file.bytes().size(), expected, total_size(tensors));
  std::vector<float> values(total_size(tensors));
  std::ranges::copy(file.bytes(), std::as_writable_bytes(std::span(values)).begin());
  return values;
}

Json to_json(const Ledger& ledger) {
  Json purposes = Json::object();
  for (std::size_t kind = 0; kind < kTrafficKinds; ++kind) {
    const auto& [messages, bytes, bytes_between_hosts] = ledger.entries[kind];
    purposes[std::string(kTrafficNames[kind])] = {
        {"messages", messages}, {"bytes", bytes}, {"bytes_between_hosts", bytes_between_hosts}};
  }
  return purposes;
}

RunSummary read_summary(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "summary.json";
  const Json summary = read_json(path);
  const auto outcome = summary.find("outcome");
  if (outcome == summary.end() || (*outcome != "finished" && *outcome != "diverged"))
    fail_input("{}: outcome: found {}, expected finished or diverged", path.string(),
               outcome == summary.end() ? "nothing" : outcome->dump());
  RunSummary read{.outcome = *outcome == "finished" ? RunStatus::kFinished : RunStatus::kDiverged};
  const auto rounds = summary.find("rounds");
  if (rounds != summary.end() && rounds->is_number_integer())
    read.rounds = rounds->get<std::int64_t>();
  return read;
}

Ledger read_communication(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "summary.json";
  const Json summary = read_json(path);
  Ledger ledger;
  try {
    const Json communication = summary.value("communication", Json::object());
    for (std::size_t kind = 0; kind < kTrafficKinds; ++kind) {
      const auto found = communication.find(std::string(kTrafficNames[kind]));
      if (found == communication.end()) continue;
      // A reference: the library would turn any number into a whole one.
      const auto count = [&entry = *found](const char* name) {
        return entry.at(name).get_ref<const std::int64_t&>();
      };
      ledger.entries[kind] = {.messages = count("messages"),
                              .bytes = count("bytes"),
                              .bytes_between_hosts = count("bytes_between_hosts")};
    }
  } catch (const Json::exception& error) {
    fail_input("{}: communication: {}", path.string(), error.what());
  }
  return ledger;
}

std::vector<std::pair<std::string, std::string>> read_manifest(const std::filesystem::path& file) {
  std::vector<std::pair<std::string, std::string>> facts;
  const Json manifest = read_json(file);
  for (const auto& [key, value] : manifest.items())
    facts.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
  return facts;
}

}  // namespace localbatch
