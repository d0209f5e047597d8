#include "nn/execution_plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "nn/symbolic_step.h"
#include "nn/test_models.h"

using namespace localbatch;

namespace {

ImageModel resnet(const std::string& depth, const std::string& shortcut = "projection",
                  const std::string& stem = "cifar") {
  return make_test_model("resnet", {{"depth", depth}, {"shortcut", shortcut}, {"stem", stem}},
                         {3, 32, 32}, 10);
}

constexpr Convolution conv(ValueId src) {
  return {.src = src, .channels = 16, .kernel = 3, .padding = 1};
}

void add_head(ImageModel& model, ValueId x) {
  model.add("fc", Dense{.src = model.add("pool", AveragePool{.src = x}), .features = 10});
}

/// Small models with the knots that ResNets do not have.
std::vector<ImageModel> knots() {
  std::vector<ImageModel> models;
  const auto begin = [&]() -> ImageModel& { return models.emplace_back(ImageShape{3, 8, 8}); };
  {  // The identity of a block comes from a convolution, and its batch norm is read twice.
    ImageModel& m = begin();
    const ValueId x = m.add("a", conv(0)), y = m.add("bn", Normalization{.src = x, .relu = true});
    add_head(m, m.add("sum", Normalization{.src = m.add("b", conv(y)), .add = x, .relu = true}));
  }
  {  // Two residuals from one value, one of them past the other.
    ImageModel& m = begin();
    const ValueId x = m.add("bn", Normalization{.src = m.add("a", conv(0)), .relu = true});
    const ValueId y =
        m.add("bn1", Normalization{.src = m.add("b", conv(x)), .add = x, .relu = true});
    add_head(m, m.add("bn2", Normalization{.src = m.add("c", conv(y)), .add = x, .relu = true}));
  }
  {  // Blocks without a ReLU at their end: the diff of the identity is that of the sum.
    ImageModel& m = begin();
    ValueId x = m.add("bn", Normalization{.src = m.add("a", conv(0))});
    for (int block = 0; block < 3; ++block) {
      const ValueId y = m.add("mid", Normalization{.src = m.add("b", conv(x)), .relu = true});
      x = m.add("sum", Normalization{.src = m.add("c", conv(y)), .add = x});
    }
    add_head(m, x);
  }
  {  // A ReLU layer of its own, read twice, and a batch norm behind it.
    ImageModel& m = begin();
    const ValueId x = m.add("relu", Relu{.src = m.add("a", conv(0))});
    const ValueId y = m.add("bn", Normalization{.src = x, .relu = true});
    const ValueId z = m.add("b", conv(y));
    add_head(m, m.add("sum", Normalization{.src = m.add("c", conv(x)), .add = z}));
  }
  {  // Padded shortcuts and a max-pool of a value that is read again.
    ImageModel& m = begin();
    const ValueId x = m.add("bn", Normalization{.src = m.add("a", conv(0)), .relu = true});
    const ValueId pooled = m.add("pool", MaxPool{.src = x});
    const ValueId shortcut = m.add("pad", PadShortcut{.src = x, .channels = 16, .stride = 2});
    add_head(m, m.add("sum", Normalization{.src = m.add("b", conv(pooled)), .add = shortcut}));
  }
  {  // A residual that nobody else reads: its ReLU's mask must not fall on the sum's diff.
    ImageModel& m = begin();
    const ValueId x = m.add("bn", Normalization{.src = m.add("a", conv(0)), .relu = true});
    add_head(m, m.add("sum", Normalization{.src = m.add("b", conv(0)), .add = x}));
  }
  {  // The sum comes before another reader of its residual, but is computed after it.
    ImageModel& m = begin();
    const ValueId x = m.add("bn", Normalization{.src = m.add("a", conv(0)), .relu = true});
    const ValueId sum = m.add("sum", Normalization{.src = m.add("b", conv(0)), .add = x});
    const ValueId y = m.add("c", conv(x)), z = m.add("d", conv(sum));
    add_head(m, m.add("last", Normalization{.src = z, .add = y, .relu = true}));
  }
  return models;
}

std::vector<ImageModel> all_models() {
  std::vector<ImageModel> models = knots();
  for (const char* const depth : {"18", "20", "34", "50", "110"}) models.push_back(resnet(depth));
  models.push_back(resnet("20", "pad"));
  models.push_back(resnet("50", "projection", "imagenet"));
  models.push_back(make_test_model("mlp", {{"hidden_features", "50"}}, {3, 8, 8}, 10));
  return models;
}

std::size_t stored_values(const ImageModel& model, const ExecutionPlan& plan) {
  std::size_t sum = 0;
  for (std::size_t value = 1; value < plan.values.size(); ++value)
    if (plan.values[value].storage != Storage::kNever)
      sum += model.shape(static_cast<ValueId>(value)).size();
  return sum;
}

}  // namespace

TEST_CASE(
    "no value and no diff is overwritten before its last reader, and none is read too early") {
  for (const ImageModel& model : all_models()) {
    CAPTURE(model.layers().size());
    CHECK(find_mistakes(model, plan_execution(model)) == std::vector<std::string>{});
  }
}

TEST_CASE("mistakes that are planted in a plan are found") {
  const ImageModel model = resnet("20");
  const ExecutionPlan plan = plan_execution(model);
  const auto finds = [&](const auto& spoil) {
    ExecutionPlan spoiled = plan;
    spoil(spoiled);
    return !find_mistakes(model, spoiled).empty();
  };
  const int arrays = static_cast<int>(plan.diff_array_sizes.size());
  for (int kept = 0; kept < arrays; ++kept)
    for (int merged = kept + 1; merged < arrays; ++merged)
      CHECK(finds([&](ExecutionPlan& spoiled) {
        for (ValuePlan& value : spoiled.values)
          if (value.diff_array == merged) value.diff_array = kept;
      }));
  int shared = 0;
  for (std::size_t layer = 0; layer < plan.sources.size(); ++layer)
    for (std::size_t source = 0; source < plan.sources[layer].size(); ++source) {
      CAPTURE(model.layers()[layer].name);
      const SourcePlan& mine = plan.sources[layer][source];
      if (plan.values[static_cast<std::size_t>(mine.value)].diff_array < 0) continue;
      CHECK(finds([&](ExecutionPlan& spoiled) {
        spoiled.sources[layer][source].first_reader = !mine.first_reader;
      }));
      const DiffUse use = mine.diff;
      shared += use == DiffUse::kShared ? 1 : 0;
      if (use == DiffUse::kAdd || use == DiffUse::kWrite)
        CHECK(finds([&](ExecutionPlan& spoiled) {
          spoiled.sources[layer][source].diff =
              use == DiffUse::kAdd ? DiffUse::kWrite : DiffUse::kAdd;
        }));
    }
  CHECK(shared > 0);
}

TEST_CASE("an array for diffs is as large as its largest value") {
  for (const ImageModel& model : all_models()) {
    const ExecutionPlan plan = plan_execution(model);
    std::vector<std::size_t> largest(plan.diff_array_sizes.size());
    for (std::size_t value = 0; value < plan.values.size(); ++value) {
      const int array = plan.values[value].diff_array;
      if (array < 0) continue;
      std::size_t& its_largest = largest.at(static_cast<std::size_t>(array));
      its_largest = std::max(its_largest, model.shape(static_cast<ValueId>(value)).size());
    }
    CHECK(plan.diff_array_sizes == largest);
  }
}

TEST_CASE("batch norm's output is stored if it has a residual or several readers") {
  const ImageModel model = resnet("20");
  const ExecutionPlan plan = plan_execution(model);
  CHECK(plan.values[0].storage == Storage::kCaller);
  for (std::size_t layer = 0; layer < model.layers().size(); ++layer) {
    const std::string& name = model.layers()[layer].name;
    CAPTURE(name);
    Storage expected = Storage::kWhenItsLayerRuns;
    if (name.ends_with(".bn1") || name.ends_with(".downsample.1")) expected = Storage::kNever;
    if (name == "bn1" || name.ends_with(".bn2")) expected = Storage::kAtFirstRead;
    CHECK(plan.values[layer + 1].storage == expected);
  }
}

TEST_CASE("values and diffs per image of ResNets are these sums") {
  // Per block: every convolution's output and the block's own, and that of a projection; the stem
  // has two more, and the head the pooled features and ten logits. Batch norms inside a block and
  // behind a projection are not stored.
  const auto check_sizes = [](const std::string& depth, std::size_t stored,
                              const std::vector<std::size_t>& diffs) {
    CAPTURE(depth);
    const ImageModel model = resnet(depth);
    const ExecutionPlan plan = plan_execution(model);
    CHECK(stored_values(model, plan) == stored);
    std::vector<std::size_t> sorted = plan.diff_array_sizes;
    std::ranges::sort(sorted);
    CHECK(sorted == diffs);
  };
  const std::size_t pixels = std::size_t{32} * 32, narrow = 16 * pixels, wide = 64 * pixels;
  check_sizes("20", (2 + 3 * 3) * narrow + (4 + 2 * 3) * (narrow / 2 + narrow / 4) + 64 + 10,
              {narrow / 2, narrow, narrow});
  check_sizes("18", (2 + 2 * 3) * wide + (4 + 3) * (wide / 2 + wide / 4 + wide / 8) + 512 + 10,
              {wide / 2, wide, wide});
  // A bottleneck of width v: v + v + 4v + 4v. With stride 2 its first convolution still has the
  // larger image: 4v + v + 4v + 4v, and 4v for the projection.
  const auto stage = [](std::size_t v, std::size_t blocks) {
    return 17 * v + (blocks - 1) * 10 * v;
  };
  check_sizes("50",
              2 * wide + (3 * 10 + 4) * wide + stage(wide / 2, 4) + stage(wide / 4, 6) +
                  stage(wide / 8, 3) + 2048 + 10,
              {wide, 2 * wide, 4 * wide});
}
