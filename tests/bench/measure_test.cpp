// That measurements measure what they say. How fast anything is does not matter here.

#include <doctest/doctest.h>

#include <numeric>

#include "bench/machine_peak.h"
#include "bench/measure_convolutions.h"
#include "bench/measure_data.h"
#include "bench/measure_synchronization.h"
#include "bench/measure_training.h"
#include "core/error.h"
#include "data/fixtures.h"
#include "data/image_folder_fixture.h"

using namespace localbatch;

namespace {

constexpr double kSeconds = 0.02;
constexpr MachinePeaks kPeaks{.f32 = 1e12, .bf16 = 2e12};

const BenchNetwork& network(std::string_view name) { return find_bench_network(name, "here"); }

int layers_of(const std::vector<ModelConvolution>& convolutions) {
  return std::accumulate(
      convolutions.begin(), convolutions.end(), 0,
      [](int sum, const ModelConvolution& convolution) { return sum + convolution.layers; });
}

}  // namespace

TEST_CASE("networks are found by name, and a wrong name is refused with the nearest") {
  CHECK(network("resnet18").batch == 64);
  CHECK(input_error([] { find_bench_network("resnet21", "bench: --model"); }) ==
        "bench: --model: found 'resnet21', allowed is resnet20 | resnet18 | resnet50 | gpt_4x128 | "
        "llama_4x128 | resnet101 | llama_6x256 | gpt_6x384 | stories15m (did you mean "
        "'resnet20'?)");
}

TEST_CASE("distinct convolutions of ResNet-20: 21 layers of eight shapes") {
  const auto convolutions = convolutions_of(network("resnet20"));
  REQUIRE(convolutions.size() == 8);
  CHECK(layers_of(convolutions) == 21);
  const ModelConvolution& first = convolutions.front();
  CHECK(first.reads_input);
  CHECK(first.layers == 1);
  const ConvolutionShape first_stage{
      .src = {16, 32, 32}, .channels = 16, .kernel = 3, .stride = 1, .padding = 1};
  CHECK(convolutions[1].shape == first_stage);
  CHECK(convolutions[1].layers == 6);
  CHECK(layers_of(convolutions_of(network("resnet50"))) == 53);
}

TEST_CASE("the machine's peak is that of all its threads") {
  const auto peak = measure_peak(Precision::kFloat32, 1);
  REQUIRE(peak);
  CHECK(*peak > 1e8);
  CHECK(*peak < 1e13);
  const auto of_bf16 = measure_peak(Precision::kBfloat16, 1);
  CHECK(of_bf16.has_value() <= supports_bfloat16());
  if (of_bf16) {
    CHECK(*of_bf16 > 1e8);
    CHECK(*of_bf16 < 1e13);
  }
}

TEST_CASE("a training step times its update and counts what a worker holds") {
  const std::unique_ptr<const Model> model = make_model(network("resnet20"));
  TrainingStep step(*model, {.max_samples = 2});
  step.run();
  CHECK(step.optimizer_seconds() > 0);
  const std::size_t parameters = model->parameter_count();
  const std::size_t running_moments = model->running_moment_count();
  CHECK(step.worker_bytes() == 4 * (3 * parameters + running_moments + 2 * 3 * 32 * 32));
}

TEST_CASE("a training step on tokens is one of AdamW, with two moments of every parameter") {
  const std::unique_ptr<const Model> model = make_model(network("gpt_4x128"));
  TrainingStep step(*model, {.max_samples = 2});
  step.run();
  CHECK(step.network().phase_seconds()[static_cast<std::size_t>(Phase::kForward)] > 0);
  CHECK(step.worker_bytes() == 4 * (4 * model->parameter_count() + 2 * 64));
  const InnerOptimizerFactory optimizer = bench_optimizer(model->sample());
  CHECK(optimizer.clip_norm == 1);
  CHECK_FALSE(optimizer.linear);
}

TEST_CASE("networks on tokens have the parameters of the models whose names they bear") {
  const auto parameters = [](std::string_view name) {
    return make_model(network(name))->parameter_count();
  };
  CHECK(parameters("gpt_4x128") == 804'096);  // nanoGPT's on CPUs
  CHECK(parameters("gpt_6x384") == 10'745'088);
  CHECK(parameters("stories15m") == 15'191'712);
  // L (2 d H e + 2 d G e + 3 d f + 2 d) + d + V d
  CHECK(parameters("llama_4x128") ==
        4 * (2 * 128 * 128 + 2 * 128 * 64 + 3 * 128 * 352 + 2 * 128) + 128 + 256 * 128);
  CHECK(parameters("llama_6x256") ==
        6 * (2 * 256 * 256 + 2 * 256 * 128 + 3 * 256 * 704 + 2 * 256) + 256 + 256 * 256);
  for (const BenchNetwork& each : bench_networks())
    CHECK(convolutions_of(each).empty() != each.reads_images());
}

TEST_CASE("the rate of a network on tokens is in tokens, of one on images in images") {
  const ExecutionOptions execution{.max_samples = 2};
  const TrainingSpeed gpt = measure_training(network("gpt_4x128"), execution, kSeconds, kPeaks);
  CHECK(gpt.samples_per_second.median > 0);
  CHECK_FALSE(gpt.images_per_second());
  REQUIRE(gpt.tokens_per_second());
  CHECK(gpt.tokens_per_second()->median == doctest::Approx(64 * gpt.samples_per_second.median));
  CHECK(gpt.tokens_per_second()->best == doctest::Approx(64 * gpt.samples_per_second.best));
  CHECK(gpt.step_milliseconds * gpt.samples_per_second.median == doctest::Approx(2000));
  REQUIRE(gpt.predicted_bytes);
  CHECK(*gpt.predicted_bytes > 4 * 4 * 804'096);
  const TrainingSpeed resnet = measure_training(network("resnet20"), execution, kSeconds, {});
  CHECK_FALSE(resnet.tokens_per_second());
  REQUIRE(resnet.images_per_second());
  CHECK(resnet.images_per_second()->median == resnet.samples_per_second.median);
}

TEST_CASE("training: rate, step time, share of the peak and memory fit together") {
  const ExecutionOptions execution{.max_samples = 4};
  const TrainingSpeed speed = measure_training(network("resnet20"), execution, kSeconds, kPeaks);
  CHECK(speed.samples_per_second.median > 0);
  CHECK(speed.step_milliseconds * speed.samples_per_second.median == doctest::Approx(4000));
  REQUIRE(speed.share_of_peak);
  CHECK(*speed.share_of_peak ==
        doctest::Approx(6 * 40'813'184.0 * speed.samples_per_second.median / 1e12));
  CHECK(speed.optimizer_milliseconds > 0);
  CHECK(speed.optimizer_milliseconds < speed.step_milliseconds);
  CHECK(speed.measured_bytes > 1 << 20);
  CHECK_FALSE(measure_training(network("resnet20"), execution, kSeconds, {}).share_of_peak);
}

TEST_CASE("what arithmetic allows counts Winograd's own products, which are f32 in every network") {
  const std::unique_ptr<const Model> model = make_model(network("resnet20"));
  const auto seconds = [&](ConvolutionRule rule, Precision precision, const MachinePeaks& peaks) {
    return arithmetic_seconds(*model, {.precision = precision, .convolution = rule}, peaks);
  };
  // 16 convolutions of 3x3 with stride 1 take a quarter each; the others and the classifier do not.
  const double of_winograd = 16 * 2'359'296 / 4, others = 40'813'184 - 16 * 2'359'296;
  const auto least = seconds(ConvolutionRule::kWinograd, Precision::kFloat32, kPeaks);
  REQUIRE(least);
  CHECK(*least == doctest::Approx(6 * (of_winograd + others) / 1e12));
  const auto in_bf16 = seconds(ConvolutionRule::kWinograd, Precision::kBfloat16, kPeaks);
  REQUIRE(in_bf16);
  CHECK(*in_bf16 == doctest::Approx(6 * (of_winograd / 1e12 + others / 2e12)));
  const auto direct = seconds(ConvolutionRule::kDirect, Precision::kFloat32, kPeaks);
  REQUIRE(direct);
  CHECK(*direct == doctest::Approx(6 * 40'813'184.0 / 1e12));
  CHECK_FALSE(seconds(ConvolutionRule::kDirect, Precision::kBfloat16, {.f32 = 1e12, .bf16 = {}}));
}

TEST_CASE("the first convolution of a network has no pass for its input") {
  const auto convolutions = convolutions_of(network("resnet20"));
  const ConvolutionSpeed first =
      measure_convolution(network("resnet20"), convolutions[0], {.max_samples = 2}, kSeconds);
  CHECK_FALSE(first.backward_data);
  CHECK(measure_convolution(network("resnet20"), convolutions[2], {.max_samples = 2}, kSeconds)
            .convolution.shape.channels == 32);
}

TEST_CASE("averages of three workers are measured at least three times") {
  const std::unique_ptr<ProcessGroup> processes = single_process();
  const SynchronizationSpeed speed =
      measure_synchronization(network("resnet20"), Payload::kInt8, 3, kSeconds, *processes);
  CHECK(speed.parameters == 272'474);
  CHECK(speed.payload == Payload::kInt8);
  CHECK(speed.workers == 3);
  CHECK(speed.ranks == 1);
  CHECK(speed.averages >= 3);
  CHECK(speed.best_seconds <= speed.median_seconds);
  CHECK(speed.bytes_per_second * speed.median_seconds == doctest::Approx(4 * 272'474));
}

TEST_CASE("averages of any length are measured, at least three times") {
  const std::unique_ptr<ProcessGroup> processes = single_process();
  const std::vector<double> times = measure_averages(1024, 2, 0, *processes);
  CHECK(times.size() == 3);
  for (const double seconds : times) CHECK(seconds > 0);
}

TEST_CASE("ResNet-101 is measured on large images, and only when it is asked for") {
  const std::unique_ptr<const Model> model = make_model(network("resnet101"));
  CHECK(model->sample() == SampleShape{.input = ImageShape{3, 224, 224}, .num_classes = 1000});
  CHECK(layers_of(convolutions_of(network("resnet101"))) == 104);
  for (const BenchNetwork& usual : usual_bench_networks()) CHECK(usual.name != "resnet101");
}

TEST_CASE("images in files are prepared at some rate, to be compared with ResNet-101") {
  const SmallImageNet images;
  const DataSpeed speed = measure_files(kSeconds, images.root());
  CHECK(speed.images_per_second.median > 0);
  CHECK(speed.network == "resnet101");
}

TEST_CASE("images are prepared at some rate") {
  const DataSpeed speed = measure_data(kSeconds);
  CHECK(speed.images_per_second.median > 0);
  CHECK_FALSE(speed.share_of_step);
}
