#include "nn/execution_plan.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace localbatch {

namespace {

/// Layers count from 0; the output of layer i is value i + 1.
constexpr std::size_t producer(ValueId value) { return static_cast<std::size_t>(value) - 1; }
constexpr std::size_t at(ValueId value) { return static_cast<std::size_t>(value); }

const Normalization* as_normalization(const ImageModel& model, std::size_t layer) {
  return std::get_if<Normalization>(&model.layers()[layer].kind);
}

/// The layers that read each value, in their order.
std::vector<std::vector<std::size_t>> find_readers(const ImageModel& model) {
  std::vector<std::vector<std::size_t>> readers(model.layers().size() + 1);
  for (std::size_t layer = 0; layer < model.layers().size(); ++layer)
    for (const ValueId source : sources(model.layers()[layer].kind))
      readers[at(source)].push_back(layer);
  for (std::size_t value = 0; value + 1 < readers.size(); ++value)
    check(!readers[value].empty(), "somebody reads every value but the last");
  return readers;
}

/// Hands out arrays for diffs and takes them back; an array grows to the largest value it serves.
class DiffArrays {
 public:
  int claim(std::size_t size) {
    const auto fits = [&](int array) { return sizes_[static_cast<std::size_t>(array)] >= size; };
    auto chosen = std::ranges::find_if(unused_, fits);
    if (chosen == unused_.end() && !unused_.empty()) chosen = unused_.begin();
    if (chosen == unused_.end()) {
      sizes_.push_back(size);
      return static_cast<int>(sizes_.size()) - 1;
    }
    const int array = *chosen;
    unused_.erase(chosen);
    std::size_t& array_size = sizes_[static_cast<std::size_t>(array)];
    array_size = std::max(array_size, size);
    return array;
  }
  void release(int array) { unused_.push_back(array); }
  std::vector<std::size_t> sizes() const { return sizes_; }

 private:
  std::vector<std::size_t> sizes_;
  std::vector<int> unused_;
};

/// One source of one layer.
struct Read {
  std::size_t layer = 0;
  ValueId value = 0;
  std::size_t source = 0;  ///< place among the layer's sources
  /// The layer that runs when the value is read, and, in the backward pass, when the contribution
  /// to its diff is made. That is the reading layer; but a normalization reads its residual only
  /// when its own output is read.
  std::size_t time = 0;
};

/// The reads in the order of the backward pass.
std::vector<Read> find_reads(const ImageModel& model) {
  const auto readers = find_readers(model);
  const auto time_of = [&](const auto& self, std::size_t layer, ValueId value) -> std::size_t {
    const Normalization* const normalization = as_normalization(model, layer);
    if (normalization == nullptr || value == normalization->src) return layer;
    const ValueId output = static_cast<ValueId>(layer) + 1;
    std::size_t time = model.layers().size();
    for (const std::size_t reader : readers[at(output)])
      time = std::min(time, self(self, reader, output));
    return time;
  };
  std::vector<Read> reads;
  for (std::size_t layer = 0; layer < model.layers().size(); ++layer) {
    const std::vector<ValueId> values = sources(model.layers()[layer].kind);
    for (std::size_t source = 0; source < values.size(); ++source)
      reads.push_back({layer, values[source], source, time_of(time_of, layer, values[source])});
  }
  std::ranges::stable_sort(reads, [](const Read& a, const Read& b) {
    return std::pair(a.time, a.layer) > std::pair(b.time, b.layer);
  });
  return reads;
}

/// Decides the diffs, going through the backward pass.
class DiffPlanner {
 public:
  DiffPlanner(const ImageModel& model, ExecutionPlan& plan)
      : model_(model), plan_(plan), readers_(find_readers(model)), reads_(find_reads(model)) {}

  void run() {
    const std::size_t layers = model_.layers().size();
    released_after_.resize(layers);
    claim(static_cast<ValueId>(layers));
    auto read = reads_.begin();
    for (std::size_t time = layers; time-- > 0;) {
      for (; read != reads_.end() && read->time == time; ++read) decide(*read);
      for (const int array : released_after_[time])
        if (--users_[static_cast<std::size_t>(array)] == 0) arrays_.release(array);
    }
    plan_.diff_array_sizes = arrays_.sizes();
  }

 private:
  void decide(const Read& read) {
    const bool last = std::ranges::none_of(reads_, [&](const Read& other) {
      return other.value == read.value &&
             std::pair(other.time, other.layer) < std::pair(read.time, read.layer);
    });
    SourcePlan& mine = plan_.sources[read.layer][read.source];
    mine = {.value = read.value, .diff = DiffUse::kNone, .first_reader = last};
    if (read.value == 0) return;
    if (plan_.values[at(read.value)].diff_array >= 0) {
      mine.diff = DiffUse::kAdd;
    } else if (can_share(read, last)) {
      mine.diff = DiffUse::kShared;
      hold(read.value, plan_.values[read.layer + 1].diff_array);
    } else {
      mine.diff = DiffUse::kWrite;
      if (diff_is_stored(read.value)) claim(read.value);
    }
  }

  /// A value that only a normalization reads has its diff computed by it, slice by slice.
  bool diff_is_stored(ValueId value) const {
    const auto& mine = readers_[at(value)];
    const Normalization* const reader =
        mine.size() == 1 ? as_normalization(model_, mine.front()) : nullptr;
    return reader == nullptr || reader->src != value;
  }

  /// The layer that looks at the diff of a value last: a normalization's is read by the layer
  /// below.
  std::size_t last_user(ValueId value) const {
    const std::size_t layer = producer(value);
    const Normalization* const normalization = as_normalization(model_, layer);
    const bool below =
        normalization != nullptr && normalization->src > 0 && !diff_is_stored(normalization->src);
    return below ? producer(normalization->src) : layer;
  }

  /// Whether the diff of a residual may be the same array as that of the normalization that adds
  /// it: until the layer below has read it, nobody adds to it, and no ReLU's mask is applied to it.
  bool can_share(const Read& read, bool last) const {
    if (read.source == 0) return false;
    const std::size_t below = last_user(static_cast<ValueId>(read.layer) + 1);
    const Normalization* const upper = as_normalization(model_, producer(read.value));
    const bool masked_at_once = last && upper != nullptr && upper->relu;
    return !masked_at_once && std::ranges::all_of(reads_, [&](const Read& other) {
      return other.value != read.value || other.layer == read.layer || other.time < below;
    });
  }

  void claim(ValueId value) { hold(value, arrays_.claim(model_.shape(value).size())); }

  void hold(ValueId value, int array) {
    plan_.values[at(value)].diff_array = array;
    users_.resize(std::max(users_.size(), static_cast<std::size_t>(array) + 1));
    ++users_[static_cast<std::size_t>(array)];
    released_after_[last_user(value)].push_back(array);
  }

  const ImageModel& model_;
  ExecutionPlan& plan_;
  std::vector<std::vector<std::size_t>> readers_;
  std::vector<Read> reads_;
  DiffArrays arrays_;
  std::vector<int> users_;  ///< of an array: values whose diff it holds at the moment
  std::vector<std::vector<int>> released_after_;
};

}  // namespace

ExecutionPlan plan_execution(const ImageModel& model) {
  const std::size_t layers = model.layers().size();
  const auto readers = find_readers(model);
  check(as_normalization(model, layers - 1) == nullptr,
        "a network does not end with a normalization");

  ExecutionPlan plan;
  plan.values.resize(layers + 1);
  plan.values.front().storage = Storage::kCaller;
  plan.sources.resize(layers);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    plan.sources[layer].resize(sources(model.layers()[layer].kind).size());
    if (const Normalization* const normalization = as_normalization(model, layer)) {
      const auto& others = readers[at(normalization->src)];
      check(normalization->src > 0 &&
                as_normalization(model, producer(normalization->src)) == nullptr &&
                std::ranges::none_of(
                    others,
                    [&](std::size_t other) {
                      const Normalization* const its = as_normalization(model, other);
                      return other != layer && its != nullptr && its->src == normalization->src;
                    }),
            "a normalization has a source of its own, which another kind of layer computes");
      const bool keep = normalization->add >= 0 || readers[layer + 1].size() > 1;
      plan.values[layer + 1].storage = keep ? Storage::kAtFirstRead : Storage::kNever;
    }
  }
  DiffPlanner(model, plan).run();
  return plan;
}

}  // namespace localbatch
