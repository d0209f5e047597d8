#include "bench/bench_report.h"

#include "core/json.h"

namespace localbatch {

namespace {

Json json_gflops(const std::optional<double>& flop_per_second) {
  return flop_per_second ? Json(*flop_per_second / 1e9) : Json();
}

/// The keys that all measurements of networks have in common.
Json execution_of(const BenchNetwork& network, const ExecutionOptions& execution) {
  return {{"network", network.name},
          {"batch", execution.max_samples},
          {"precision", precision_name(execution.precision)},
          {"threads", execution.threads},
          {"convolution", name_of(execution.convolution)}};
}

/// The median under this key, and the best beside it.
void add_rate(Json& json, const std::string& key, const std::optional<Rate>& rate) {
  json[key] = rate ? Json(rate->median) : Json();
  json["best_" + key] = rate ? Json(rate->best) : Json();
}

Json to_json(const TrainingSpeed& speed) {
  Json phases;
  if (speed.phases)
    for (std::size_t phase = 0; phase < kPhaseNames.size(); ++phase)
      phases[std::string(kPhaseNames[phase])] = (*speed.phases)[phase];
  Json json = execution_of(speed.network, speed.execution);
  add_rate(json, "images_per_second", speed.images_per_second());
  add_rate(json, "tokens_per_second", speed.tokens_per_second());
  json["windows"] = speed.samples_per_second.windows;
  json["steps"] = speed.samples_per_second.calls;
  json["share_of_peak"] = or_null(speed.share_of_peak);
  json["share_of_limit"] = or_null(speed.share_of_limit);
  json["step_milliseconds"] = speed.step_milliseconds;
  json["phase_milliseconds"] = phases;
  json["optimizer_milliseconds"] = speed.optimizer_milliseconds;
  json["predicted_bytes"] = or_null(speed.predicted_bytes);
  json["measured_bytes"] = speed.measured_bytes;
  json["foreign_load"] = or_null(speed.foreign_load);
  return json;
}

Json to_json(const ConvolutionSpeed& speed) {
  const ConvolutionShape& shape = speed.convolution.shape;
  Json json = execution_of(speed.network, speed.execution);
  json["in_channels"] = shape.src.channels;
  json["out_channels"] = shape.channels;
  json["height"] = shape.src.height;
  json["width"] = shape.src.width;
  json["kernel"] = shape.kernel;
  json["stride"] = shape.stride;
  json["layers"] = speed.convolution.layers;
  json["forward_gflops"] = json_gflops(speed.forward);
  json["backward_data_gflops"] = json_gflops(speed.backward_data);
  json["backward_weights_gflops"] = json_gflops(speed.backward_weights);
  json["foreign_load"] = or_null(speed.foreign_load);
  return json;
}

Json to_json(const SynchronizationSpeed& speed) {
  return {{"network", speed.network.name},
          {"parameters", speed.parameters},
          {"payload", name_of(speed.payload)},
          {"workers", speed.workers},
          {"ranks", speed.ranks},
          {"averages", speed.averages},
          {"median_seconds", speed.median_seconds},
          {"best_seconds", speed.best_seconds},
          {"bytes_per_second", speed.bytes_per_second},
          {"foreign_load", or_null(speed.foreign_load)}};
}

Json to_json(const DataSpeed& speed) {
  return {{"images_per_second", speed.images_per_second.median},
          {"best_images_per_second", speed.images_per_second.best},
          {"share_of_step", or_null(speed.share_of_step)},
          {"foreign_load", or_null(speed.foreign_load)}};
}

template <class Speed>
Json list_of(const std::vector<Speed>& speeds) {
  Json list = Json::array();
  for (const Speed& speed : speeds) list.push_back(to_json(speed));
  return list;
}

}  // namespace

std::string to_json(const BenchReport& report) {
  const Json json{
      {"version", report.version},
      {"commit", report.commit},
      {"started", report.started},
      {"host", report.host},
      {"cpu", report.cpu},
      {"cores", report.cores},
      {"threads", report.threads},
      {"kernels", report.kernels.empty() ? Json() : Json(report.kernels)},
      {"peak_gflops",
       {{"f32", json_gflops(report.peaks.f32)}, {"bf16", json_gflops(report.peaks.bf16)}}},
      {"foreign_load", or_null(report.foreign_load)},
      {"train", list_of(report.train)},
      {"conv", list_of(report.conv)},
      {"sync", list_of(report.sync)},
      {"data", report.data ? to_json(*report.data) : Json()}};
  return json.dump(2) + "\n";
}

}  // namespace localbatch
