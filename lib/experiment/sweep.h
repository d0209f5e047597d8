#pragma once

#include <compare>
#include <string>
#include <vector>

#include "core/yaml.h"

namespace localbatch {

/// One run of a sweep.
struct SweepCell {
  /// Where it stands on an axis of the sweep: "sync_interval.H" and "8", or the name of an axis and
  /// of one of its mappings.
  struct Coordinate {
    std::string axis, value;

    friend auto operator<=>(const Coordinate&, const Coordinate&) = default;
  };

  std::vector<Coordinate> coordinates;  ///< in the order of the file; none without a sweep
  Node experiment;                      ///< the file without `sweep:`, with the values of this cell
};

/// The cells of an experiment file in their order, in which the last axis changes fastest; a single
/// one for a file without `sweep:`.
///
///     sweep:
///       sync_interval.H: [1, 8, 32]      # an axis: a key and its values
///       schedule:                        # an axis with a name of its own, for several keys
///         constant 32: {batch_size.initial: 32, batch_size_controller: {name: fixed}}
///         norm test: {batch_size_controller: {name: norm_test, eta: 0.8}}
///       seed: [1, 2, 3]
///
/// makes 3 x 2 x 3 cells; a list of such mappings makes those of each. Throws an InputError with
/// the place when a cell sets a key twice, when two cells are the same, or when there are more than
/// 10,000.
std::vector<SweepCell> sweep_cells(const Node& file);

/// Whether what one of two keys sets is set by the other as well: they are the same, or one of them
/// is a part around the other.
bool set_the_same(const std::string& key, const std::string& other);

/// The keys that cells of a file set, such as "sync_interval.H".
std::vector<std::string> swept_keys(const Node& file);

/// "H=8-schedule=constant_32-seed=1", for the name of a folder; empty without coordinates.
std::string cell_name(const std::vector<SweepCell::Coordinate>& coordinates);

}  // namespace localbatch
