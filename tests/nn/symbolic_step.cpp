#include "nn/symbolic_step.h"

#include <map>
#include <set>

namespace localbatch {

namespace {

using Readers = std::set<std::size_t>;

std::size_t at(ValueId value) { return static_cast<std::size_t>(value); }

/// A training step on symbols: an array for diffs holds, for each value that it belongs to, the
/// layers that have contributed. Whoever writes takes the array away from all other values, so a
/// value that is needed after that is found missing. It follows layer.h, not the planner.
class SymbolicStep {
 public:
  SymbolicStep(const ImageModel& model, const ExecutionPlan& plan)
      : model_(model),
        plan_(plan),
        readers_(model.layers().size() + 1),
        computed_(model.layers().size() + 1),
        arrays_(plan_.diff_array_sizes.size()) {
    for (std::size_t layer = 0; layer < model.layers().size(); ++layer)
      for (const ValueId source : sources(kind(layer))) readers_[at(source)].insert(layer);
  }

  void run() {
    computed_[0] = true;
    for (std::size_t layer = 0; layer < model_.layers().size(); ++layer) forward(layer);
    const ValueId logits = static_cast<ValueId>(model_.layers().size());
    readers_[at(logits)] = {kLoss};
    write(logits, kLoss);
    for (std::size_t layer = model_.layers().size(); layer-- > 0;) backward(layer);
    // Every contribution has been made.
    for (std::size_t value = 1; value < readers_.size(); ++value)
      expect(contributed_[static_cast<ValueId>(value)] == readers_[value], "contributions", value);
  }

  const std::vector<std::string>& mistakes() const { return mistakes_; }

 private:
  static constexpr std::size_t kLoss = 1 << 20;

  const LayerKind& kind(std::size_t layer) const { return model_.layers()[layer].kind; }
  const Normalization* batch_norm(std::size_t layer) const {
    return std::get_if<Normalization>(&kind(layer));
  }
  const Normalization* batch_norm_behind(ValueId value) const {
    return value == 0 ? nullptr : batch_norm(at(value) - 1);
  }
  void expect(bool holds, const std::string& what, std::size_t value) {
    if (!holds) mistakes_.push_back(what + " of value " + std::to_string(value));
  }

  // Forward.

  void forward(std::size_t layer) {
    if (const Normalization* const mine = batch_norm(layer)) {
      expect(computed_[at(mine->src)], "batch norm observes the stored source", at(mine->src));
      return;
    }
    for (const SourcePlan& source : plan_.sources[layer]) read(source);
    computed_[layer + 1] = true;
  }

  void read(const SourcePlan& source) {
    const ValueId value = source.value;
    const Storage storage = plan_.values[at(value)].storage;
    const bool computes =
        storage == Storage::kNever || (storage == Storage::kAtFirstRead && source.first_reader);
    if (computes) {
      expect(!computed_[at(value)], "a stored value is computed once", at(value));
      const std::size_t layer = at(value) - 1;
      expect(computed_[at(batch_norm(layer)->src)], "source", at(value));
      if (plan_.sources[layer].size() > 1) read(plan_.sources[layer][1]);
      computed_[at(value)] = storage != Storage::kNever;
    } else {
      expect(computed_[at(value)], "value that is read", at(value));
    }
  }

  // Backward.

  using Holds = std::map<ValueId, Readers>;
  Holds& array_of(ValueId value) { return arrays_.at(at(plan_.values[at(value)].diff_array)); }

  void write(ValueId value, std::size_t by) {
    expect(contributed_[value].empty(), "first contribution", at(value));
    contributed_[value] = {by};
    array_of(value) = Holds{{value, contributed_[value]}};
  }
  void add(ValueId value, std::size_t by) {
    expect(!contributed_[value].empty() && array_of(value)[value] == contributed_[value],
           "what is added to", at(value));
    contributed_[value].insert(by);
    array_of(value) = Holds{{value, contributed_[value]}};
  }
  void share(ValueId value, std::size_t by) {
    const ValueId output = static_cast<ValueId>(by) + 1;
    expect(plan_.values[at(value)].diff_array == plan_.values[at(output)].diff_array,
           "shared array", at(value));
    expect(contributed_[value].empty(), "first contribution", at(value));
    use(output);
    contributed_[value] = {by};
    array_of(value)[value] = contributed_[value];
  }
  /// The diff is read, and has to be complete.
  void use(ValueId value) {
    if (plan_.values[at(value)].diff_array < 0) {
      const std::size_t reader = *readers_[at(value)].begin();
      expect(readers_[at(value)].size() == 1 && batch_norm(reader) != nullptr &&
                 batch_norm(reader)->src == value,
             "a diff that is not stored", at(value));
      contributed_[value] = {reader};
      use(static_cast<ValueId>(reader) + 1);
      return;
    }
    expect(array_of(value)[value] == readers_[at(value)], "complete diff", at(value));
  }

  void contribute(const SourcePlan& source, std::size_t by) {
    const ValueId value = source.value;
    expect((source.diff == DiffUse::kNone) == (value == 0), "a diff is needed", at(value));
    if (source.diff == DiffUse::kWrite) write(value, by);
    if (source.diff == DiffUse::kAdd) add(value, by);
    if (source.diff == DiffUse::kShared) share(value, by);
    if (value == 0) return;
    expect(source.first_reader == (contributed_[value] == readers_[at(value)]), "first reader",
           at(value));
    const Normalization* const above = batch_norm_behind(value);
    if (!source.first_reader || above == nullptr) return;
    // Batch norm sees its complete diff: ReLU's mask, then the residual.
    use(value);
    if (above->relu) array_of(value) = Holds{{value, contributed_[value]}};
    const std::vector<SourcePlan>& its_sources = plan_.sources[at(value) - 1];
    if (its_sources.size() > 1) contribute(its_sources[1], at(value) - 1);
  }

  void backward(std::size_t layer) {
    const ValueId output = static_cast<ValueId>(layer) + 1;
    const SourcePlan& source = plan_.sources[layer].front();
    const bool computed_below =
        batch_norm(layer) != nullptr && plan_.values[at(source.value)].diff_array < 0;
    // The layer below will ask for it.
    if (computed_below) return;
    use(output);
    contribute(source, layer);
    // Slices of images are at different places at the same time: the diff has to last.
    use(output);
  }

  const ImageModel& model_;
  const ExecutionPlan& plan_;
  std::vector<Readers> readers_;  ///< layers, by value
  std::vector<bool> computed_;
  std::map<ValueId, Readers> contributed_;
  std::vector<Holds> arrays_;
  std::vector<std::string> mistakes_;
};

}  // namespace

std::vector<std::string> find_mistakes(const ImageModel& model, const ExecutionPlan& plan) {
  SymbolicStep step(model, plan);
  step.run();
  return step.mistakes();
}

}  // namespace localbatch
