#include "bench/bench_report.h"

#include <doctest/doctest.h>

#include "bench/training_speed.h"
#include "core/json.h"

using namespace localbatch;

namespace {

BenchReport full_report() {
  BenchReport report;
  report.cpu = "a \"quoted\" CPU";
  report.peaks.f32 = 2e11;
  report.train = {training_speed()};
  report.conv = {{.network = bench_networks().front(),
                  .execution = {},
                  .convolution = {.shape = {.src = {16, 8, 4}, .channels = 32}, .layers = 5},
                  .forward = 3e11,
                  .backward_data = {},
                  .backward_weights = 1e11,
                  .foreign_load = 0.25}};
  report.sync.emplace_back().network = bench_networks().front();
  report.data = DataSpeed{};
  return report;
}

}  // namespace

TEST_CASE("the report is JSON with the numbers that were measured") {
  const Json json = Json::parse(to_json(full_report()));
  for (const char* const key : {"version", "commit", "started", "host", "cores", "threads"})
    CHECK(json.contains(key));
  CHECK(json["cpu"] == "a \"quoted\" CPU");
  CHECK(json["peak_gflops"]["f32"] == 200.0);

  const Json& train = json["train"].at(0);
  CHECK(train["network"] == "resnet20");
  CHECK(train["batch"] == 128);
  CHECK(train["precision"] == "bf16");
  CHECK(train["threads"] == 2);
  CHECK(train["convolution"] == "auto");
  CHECK(train["images_per_second"] == 1234.5);
  CHECK(train["best_images_per_second"] == 1300.0);
  CHECK(train["tokens_per_second"].is_null());
  CHECK(train["best_tokens_per_second"].is_null());
  CHECK(train["steps"] == 21);
  CHECK(train["share_of_peak"] == 0.875);
  CHECK(train["phase_milliseconds"]["forward"] == 1.0);
  CHECK(train["phase_milliseconds"]["waiting"] == 6.0);
  CHECK(train["phase_milliseconds"].size() == kPhaseNames.size());
  CHECK(train["measured_bytes"] == 512 << 20);

  const Json& conv = json["conv"].at(0);
  CHECK(conv["in_channels"] == 16);
  CHECK(conv["out_channels"] == 32);
  CHECK(conv["height"] == 8);
  CHECK(conv["width"] == 4);
  CHECK(conv["layers"] == 5);
  CHECK(conv["forward_gflops"] == 300.0);
  CHECK(conv["backward_weights_gflops"] == 100.0);
  CHECK(conv["foreign_load"] == 0.25);
  CHECK(json["sync"].at(0)["payload"] == "f32");
  for (const char* const key : {"parameters", "workers", "ranks", "median_seconds"})
    CHECK(json["sync"].at(0).contains(key));
  CHECK(json["data"].contains("images_per_second"));
}

TEST_CASE("where samples are windows of tokens the report has tokens per second") {
  BenchReport report = full_report();
  report.train.front().network = find_bench_network("gpt_4x128", "here");
  const Json train = Json::parse(to_json(report))["train"].at(0);
  CHECK(train["network"] == "gpt_4x128");
  CHECK(train["tokens_per_second"] == 64 * 1234.5);
  CHECK(train["best_tokens_per_second"] == 64 * 1300.0);
  CHECK(train["images_per_second"].is_null());
}

TEST_CASE("what was not measured is null and no number") {
  const Json json = Json::parse(to_json(full_report()));
  CHECK(json["peak_gflops"]["bf16"].is_null());
  CHECK(json["foreign_load"].is_null());
  CHECK(json["train"].at(0)["predicted_bytes"].is_null());
  CHECK(json["conv"].at(0)["backward_data_gflops"].is_null());
  CHECK(json["data"]["share_of_step"].is_null());

  const Json nothing = Json::parse(to_json({}));
  CHECK(nothing["train"] == Json::array());
  CHECK(nothing["conv"] == Json::array());
  CHECK(nothing["sync"] == Json::array());
  CHECK(nothing["data"].is_null());
}
