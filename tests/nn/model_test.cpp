#include <doctest/doctest.h>

#include <set>
#include <string>

#include "core/error.h"
#include "nn/image_model.h"
#include "nn/test_models.h"

using namespace localbatch;

namespace {

constexpr ImageShape kCifar{3, 32, 32}, kImagenet{3, 224, 224};

std::size_t parameters(const ImageModel& model) { return model.parameter_count(); }

ImageModel cifar_resnet(const std::string& depth, const std::string& shortcut = "projection") {
  return make_test_model("resnet", {{"depth", depth}, {"shortcut", shortcut}}, kCifar, 10);
}

ImageModel imagenet_resnet(const std::string& depth) {
  return make_test_model("resnet", {{"depth", depth}, {"stem", "imagenet"}}, kImagenet, 1000);
}

/// What the classifier sees before the mean over pixels.
ImageShape final_feature_map(const ImageModel& model) {
  const auto layers = static_cast<ValueId>(model.layers().size());
  return model.shape(layers - 2);
}

}  // namespace

TEST_CASE("residual networks have the published numbers of parameters") {
  CHECK(parameters(imagenet_resnet("18")) == 11'689'512);
  CHECK(parameters(imagenet_resnet("34")) == 21'797'672);
  CHECK(parameters(imagenet_resnet("50")) == 25'557'032);
  CHECK(parameters(imagenet_resnet("101")) == 44'549'160);
  CHECK(parameters(imagenet_resnet("152")) == 60'192'808);

  CHECK(parameters(cifar_resnet("18")) == 11'173'962);
  CHECK(parameters(cifar_resnet("50")) == 23'520'842);

  CHECK(parameters(cifar_resnet("20")) == 272'474);
  CHECK(parameters(cifar_resnet("20", "pad")) == 269'722);
  CHECK(parameters(cifar_resnet("32", "pad")) == 464'154);
  CHECK(parameters(cifar_resnet("44", "pad")) == 658'586);
  CHECK(parameters(cifar_resnet("56", "pad")) == 853'018);
  CHECK(parameters(cifar_resnet("110", "pad")) == 1'727'962);
}

TEST_CASE("multilayer perceptrons have (inputs + 1) outputs parameters a layer") {
  const ImageShape mnist{1, 28, 28};
  const ImageModel mlp =
      make_test_model("mlp", {{"hidden_layers", "2"}, {"hidden_features", "100"}}, mnist, 10);
  CHECK(parameters(mlp) == 785 * 100 + 101 * 100 + 101 * 10);
  CHECK(parameters(make_test_model("softmax_regression", {}, mnist, 10)) == 785 * 10);
}

TEST_CASE("residual networks multiply as often as published") {
  // He et al. 2016, table 1, for 224x224 images; the small ones are sums over their layers.
  CHECK(imagenet_resnet("18").multiply_adds() == doctest::Approx(1.8e9).epsilon(0.02));
  CHECK(imagenet_resnet("50").multiply_adds() == doctest::Approx(4.1e9).epsilon(0.02));
  const std::int64_t stage = 6 * 9 * 16 * 16 * 1024, narrower = stage / 12;
  CHECK(cifar_resnet("20", "pad").multiply_adds() ==
        9 * 3 * 16 * 1024 + stage + 2 * (stage - narrower) + 64 * 10);
  CHECK(cifar_resnet("20").multiply_adds() ==
        cifar_resnet("20", "pad").multiply_adds() + 2 * 16 * 32 * 256);
  CHECK(cifar_resnet("18").multiply_adds() ==
        9 * 3 * 64 * 1024 + 4 * 9 * 64 * 64 * 1024 +
            3 * (9 * 64 * 128 * 256 + 3 * 9 * 128 * 128 * 256 + 64 * 128 * 256) + 512 * 10);
  CHECK(cifar_resnet("50").multiply_adds() == doctest::Approx(1298e6).epsilon(0.001));
}

TEST_CASE("a dense layer multiplies once per weight") {
  const ImageModel mlp =
      make_test_model("mlp", {{"hidden_layers", "1"}, {"hidden_features", "100"}}, {1, 28, 28}, 10);
  CHECK(mlp.multiply_adds() == 784 * 100 + 100 * 10);
}

TEST_CASE("tensors have unique names and fill their array without gaps") {
  for (const ImageModel& model : {cifar_resnet("50"), cifar_resnet("20", "pad"),
                                  imagenet_resnet("18"), make_test_model("mlp", {}, kCifar, 10)}) {
    std::set<std::string> names;
    for (const auto& tensors : {model.parameter_tensors(), model.running_moment_tensors()}) {
      std::size_t offset = 0;
      for (const TensorView& tensor : tensors) {
        CAPTURE(tensor.name);
        CHECK(names.insert(tensor.name).second);
        CHECK(tensor.offset == offset);
        std::size_t size = 1;
        for (const int dim : tensor.dims) size *= static_cast<std::size_t>(dim);
        CHECK(tensor.size == size);
        offset += size;
      }
      CHECK(total_size(tensors) == offset);
    }
  }
}

TEST_CASE("every batch norm has a running mean and variance a channel") {
  // Batch norm has as many scales and shifts as running means and variances.
  const ImageModel model = cifar_resnet("20", "pad");
  std::size_t scales_and_shifts = 0;
  for (const TensorView& tensor : model.parameter_tensors())
    if (tensor.name.find("bn") != std::string::npos) scales_and_shifts += tensor.size;
  CHECK(scales_and_shifts == 2 * (7 * 16 + 6 * 32 + 6 * 64));
  CHECK(model.running_moment_count() == scales_and_shifts);
}

TEST_CASE("group norm has the parameters of batch norm and no running statistics") {
  for (const std::string depth : {"20", "50"}) {
    const ImageModel batch_norm = cifar_resnet(depth);
    const ImageModel group_norm =
        make_test_model("resnet", {{"depth", depth}, {"norm", "group_norm"}}, kCifar, 10);
    CHECK(parameters(group_norm) == parameters(batch_norm));
    CHECK(group_norm.running_moment_tensors().empty());
    const auto theirs = batch_norm.parameter_tensors(), ours = group_norm.parameter_tensors();
    REQUIRE(ours.size() == theirs.size());
    for (std::size_t i = 0; i < ours.size(); ++i) CHECK(ours[i].name == theirs[i].name);
  }
}

TEST_CASE("every normalization of a group-norm network has the groups that were asked for") {
  const auto groups_of = [](const std::vector<std::pair<std::string, std::string>>& keys) {
    std::vector<std::pair<std::string, std::string>> all{{"norm", "group_norm"}};
    all.insert(all.end(), keys.begin(), keys.end());
    std::set<int> found;
    const ImageModel model = make_test_model("resnet", all, kImagenet, 10);
    for (const LayerDescription& layer : model.layers())
      if (const auto* const normalization = std::get_if<Normalization>(&layer.kind))
        found.insert(normalization->groups);
    return found;
  };
  CHECK(groups_of({}) == std::set<int>{8});
  CHECK(groups_of({{"norm_groups", "16"}}) == std::set<int>{16});
  CHECK(groups_of({{"depth", "50"}, {"stem", "imagenet"}, {"norm_groups", "64"}}) ==
        std::set<int>{64});
  CHECK(groups_of({{"depth", "18"}, {"norm_groups", "1"}}) == std::set<int>{1});
  CHECK_THROWS_AS(groups_of({{"norm_groups", "32"}}), InputError);
  CHECK_THROWS_AS(groups_of({{"norm_groups", "3"}}), InputError);
  CHECK_THROWS_AS(groups_of({{"norm_groups", "0"}}), InputError);
  // Batch norm has no groups.
  CHECK_THROWS_AS(make_test_model("resnet", {{"norm_groups", "4"}}, kCifar, 10), InputError);
}

TEST_CASE("names are those of torchvision") {
  std::set<std::string> names;
  for (const TensorView& tensor : imagenet_resnet("50").parameter_tensors())
    names.insert(tensor.name);
  for (const TensorView& tensor : imagenet_resnet("50").running_moment_tensors())
    names.insert(tensor.name);
  for (const char* const expected :
       {"conv1.weight", "bn1.bias", "bn1.running_var", "layer1.0.downsample.0.weight",
        "layer1.0.downsample.1.running_mean", "layer3.5.conv2.weight", "layer4.2.bn3.weight",
        "fc.weight", "fc.bias"}) {
    CAPTURE(expected);
    CHECK(names.contains(expected));
  }
}

TEST_CASE("images shrink to the published feature maps") {
  CHECK(final_feature_map(imagenet_resnet("18")) == ImageShape{512, 7, 7});
  CHECK(final_feature_map(imagenet_resnet("50")) == ImageShape{2048, 7, 7});
  CHECK(final_feature_map(cifar_resnet("18")) == ImageShape{512, 4, 4});
  CHECK(final_feature_map(cifar_resnet("20")) == ImageShape{64, 8, 8});
  const ImageModel odd = make_test_model("resnet", {{"depth", "20"}}, {3, 9, 7}, 5);
  CHECK(final_feature_map(odd) == ImageShape{64, 3, 2});
  CHECK(odd.num_classes() == 5);
}

TEST_CASE("shortcuts change shape only where blocks do") {
  const auto downsampled = [](const ImageModel& model) {
    int count = 0;
    for (const TensorView& tensor : model.parameter_tensors())
      count += tensor.name.find("downsample.0") != std::string::npos ? 1 : 0;
    return count;
  };
  CHECK(downsampled(cifar_resnet("20")) == 2);
  CHECK(downsampled(cifar_resnet("20", "pad")) == 0);
  CHECK(downsampled(imagenet_resnet("18")) == 3);
  CHECK(downsampled(imagenet_resnet("50")) == 4);  // the first stage widens without a stride
}

TEST_CASE("zero-padded shortcuts are refused for bottlenecks") {
  CHECK_THROWS_AS(cifar_resnet("50", "pad"), InputError);
  CHECK_NOTHROW(cifar_resnet("18", "pad"));
  CHECK_THROWS_AS(cifar_resnet("21"), InputError);
}

TEST_CASE("images that vanish inside the network are refused with the layer's name") {
  ImageModel model({3, 4, 4});
  const ValueId conv = model.add("wide", Convolution{.src = 0, .channels = 16, .kernel = 3});
  CHECK(model.shape(conv) == ImageShape{16, 2, 2});
  CHECK_THROWS_WITH_AS(model.add("wider", Convolution{.src = conv, .channels = 16, .kernel = 3}),
                       "model: images of 4x4 pixels are too small for layer wider", InputError);
  // Padding keeps one pixel alive in residual networks.
  CHECK(final_feature_map(make_test_model("resnet", {{"depth", "20"}}, {3, 1, 1}, 10)) ==
        ImageShape{64, 1, 1});
}
