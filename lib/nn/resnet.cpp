#include <fmt/core.h>

#include <array>
#include <vector>

#include "core/error.h"
#include "nn/image_model.h"

namespace localbatch {

namespace {

/// One of the published depths.
struct Depth {
  std::string_view name;
  int depth;
  bool bottleneck;
  std::array<int, 4> blocks;  ///< per stage; the CIFAR family has three stages
  bool cifar_family;          ///< widths 16, 32, 64 instead of 64, 128, 256, 512
};
constexpr std::array<Depth, 10> kDepths{{
    {"20", 20, false, {3, 3, 3, 0}, true},
    {"32", 32, false, {5, 5, 5, 0}, true},
    {"44", 44, false, {7, 7, 7, 0}, true},
    {"56", 56, false, {9, 9, 9, 0}, true},
    {"110", 110, false, {18, 18, 18, 0}, true},
    {"18", 18, false, {2, 2, 2, 2}, false},
    {"34", 34, false, {3, 4, 6, 3}, false},
    {"50", 50, true, {3, 4, 6, 3}, false},
    {"101", 101, true, {3, 4, 23, 3}, false},
    {"152", 152, true, {3, 8, 36, 3}, false},
}};

const Depth& find_depth(int depth) {
  for (const Depth& row : kDepths)
    if (row.depth == depth) return row;
  fail_input("resnet: found depth {}, which has not been published", depth);
}

int first_width(const Depth& depth) { return depth.cifar_family ? 16 : 64; }

/// Bottlenecks end with four times the channels of their 3x3 convolution.
constexpr int kExpansion = 4;

ValueId add_block(ImageModel& model, const ResnetSettings& resnet, bool bottleneck,
                  const std::string& name, ValueId x, int width, int stride) {
  const auto convolution = [&](const std::string& suffix, ValueId src, int channels, int kernel,
                               int block_stride) {
    return model.add(name + suffix, Convolution{.src = src,
                                                .channels = channels,
                                                .kernel = kernel,
                                                .stride = block_stride,
                                                .padding = kernel / 2});
  };
  const auto norm_relu = [&](const std::string& suffix, ValueId src) {
    return model.add(name + suffix,
                     Normalization{.src = src, .relu = true, .groups = resnet.norm_groups});
  };

  const int channels = bottleneck ? kExpansion * width : width;
  ValueId y = convolution(".conv1", x, width, bottleneck ? 1 : 3, bottleneck ? 1 : stride);
  y = norm_relu(".bn1", y);
  y = convolution(".conv2", y, width, 3, bottleneck ? stride : 1);
  if (bottleneck) {
    y = norm_relu(".bn2", y);
    y = convolution(".conv3", y, channels, 1, 1);
  }

  ValueId shortcut = x;
  if (stride != 1 || model.shape(x).channels != channels) {
    if (resnet.pad_shortcut) {
      shortcut = model.add(name + ".shortcut",
                           PadShortcut{.src = x, .channels = channels, .stride = stride});
    } else {
      shortcut = convolution(".downsample.0", x, channels, 1, stride);
      shortcut = model.add(name + ".downsample.1",
                           Normalization{.src = shortcut, .groups = resnet.norm_groups});
    }
  }
  return model.add(name + (bottleneck ? ".bn3" : ".bn2"),
                   Normalization{.src = y,
                                 .add = shortcut,
                                 .relu = true,
                                 .zero_scale = resnet.zero_last_scale,
                                 .groups = resnet.norm_groups});
}

}  // namespace

ImageModel resnet(const ResnetSettings& settings, const SampleShape& sample) {
  const Depth& depth = find_depth(settings.depth);
  check(!settings.pad_shortcut || !depth.bottleneck, "only blocks without bottleneck are padded");
  ImageModel model(sample);
  int width = first_width(depth);
  const Convolution stem =
      settings.imagenet_stem
          ? Convolution{.src = 0, .channels = width, .kernel = 7, .stride = 2, .padding = 3}
          : Convolution{.src = 0, .channels = width, .kernel = 3, .padding = 1};
  ValueId x = model.add("conv1", stem);
  x = model.add("bn1", Normalization{.src = x, .relu = true, .groups = settings.norm_groups});
  if (settings.imagenet_stem) x = model.add("maxpool", MaxPool{.src = x});
  for (std::size_t stage = 0; stage < depth.blocks.size(); ++stage) {
    for (int block = 0; block < depth.blocks[stage]; ++block)
      x = add_block(model, settings, depth.bottleneck, fmt::format("layer{}.{}", stage + 1, block),
                    x, width, stage > 0 && block == 0 ? 2 : 1);
    width *= 2;
  }
  x = model.add("avgpool", AveragePool{.src = x});
  model.add("fc", Dense{.src = x, .features = sample.num_classes});
  return model;
}

namespace {

void read_norm(Options& options, ResnetSettings& settings) {
  const bool group_norm = options.choice<bool>(
      "norm",
      {.fallback = false,
       .choices = {{"batch_norm", false}, {"group_norm", true}},
       .meaning = "normalization: batch norm takes its statistics over a micro-batch; group "
                  "norm over groups of channels of each image, in evaluations too"});
  constexpr int kGroups = 8;
  const int groups =
      options.integer<int>("norm_groups", {.fallback = kGroups,
                                           .min = 1,
                                           .max = 64,
                                           .meaning = "groups of channels that group norm makes"});
  if (!group_norm && groups != kGroups)
    options.fail("norm_groups", fmt::format("found {}, which needs 'norm: group_norm'", groups));
  if (!group_norm) return;
  settings.norm_groups = groups;
  if (const int width = first_width(find_depth(settings.depth)); width % groups != 0)
    options.fail(
        "norm_groups",
        fmt::format("found {}, allowed are divisors of {}, the narrowest width of depth {}", groups,
                    width, settings.depth));
}

}  // namespace

ModelFactory make_resnet(Options& options) {
  ResnetSettings settings;
  ValueChoiceKey<int> depth{
      .fallback = settings.depth,
      .choices = {},
      .meaning =
          "number of weighted layers; 20, 32, 44, 56 and 110 are the CIFAR family "
          "(widths 16, 32, 64), the others the ImageNet family (64 to 512)"};
  for (const Depth& row : kDepths) depth.choices.emplace_back(row.name, row.depth);
  settings.depth = options.choice("depth", depth);
  settings.imagenet_stem = options.choice<bool>(
      "stem", {.fallback = settings.imagenet_stem,
               .choices = {{"cifar", false}, {"imagenet", true}},
               .meaning = "first layer: 3x3, stride 1, no pool; or 7x7, stride 2, max-pool"});
  read_norm(options, settings);
  settings.pad_shortcut = options.choice<bool>(
      "shortcut", {.fallback = settings.pad_shortcut,
                   .choices = {{"projection", false}, {"pad", true}},
                   .meaning = "where shapes change: 1x1 convolution with normalization, or zero "
                              "channels (option A of He et al. 2016)"});
  settings.zero_last_scale = options.flag(
      "zero_last_scale", {.fallback = settings.zero_last_scale,
                          .meaning = "start every block as the identity: its last scale is zero"});
  if (settings.pad_shortcut && find_depth(settings.depth).bottleneck)
    options.fail("shortcut",
                 fmt::format("'pad' exists for blocks without bottleneck (depth 18, 34 and the "
                             "CIFAR family), found depth {}",
                             settings.depth));
  return {.make =
              [settings](const SampleShape& sample) {
                return std::make_unique<const ImageModel>(resnet(settings, sample));
              },
          .has_bfloat16 = true,
          .has_3x3_convolutions = true,
          .has_batch_norm = settings.norm_groups == 0};
}

}  // namespace localbatch
