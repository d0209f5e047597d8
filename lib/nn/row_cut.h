#pragma once

#include <algorithm>

namespace localbatch {

/// Rows of tokens that are worked on at once, and the segments among them. A segment is what a
/// sequence has in a block of rows.
struct RowBlock {
  int first_row = 0;
  int rows = 0;
  int first_segment = 0;
  int segments = 0;

  /// Rows up to where a segment of the block begins.
  int segment_begin(int segment) const { return rows * segment / segments; }
};

/// Cuts the tokens of a micro-batch, sequence behind sequence, into blocks of rows that one thread
/// takes through several layers while they are in its cache. Long sequences are cut into parts of
/// (nearly) one size, short ones are put together. A function of shapes alone, as bits depend on
/// it.
class RowCut {
 public:
  /// Enough for matrix products to be efficient, few enough for a block to stay in the cache.
  static constexpr int kRows = 128;

  RowCut(int length, int sequences)
      : length_(length),
        sequences_(sequences),
        parts_((length + kRows - 1) / kRows),
        together_(std::max(1, kRows / length)) {}

  int rows() const { return length_ * sequences_; }
  int sequences() const { return sequences_; }
  int length() const { return length_; }

  /// Blocks that a sequence is cut into.
  int parts() const { return parts_; }
  int segments() const { return parts_ * sequences_; }
  int blocks() const { return parts_ > 1 ? segments() : (sequences_ + together_ - 1) / together_; }
  RowBlock block(int index) const {
    if (parts_ > 1) {
      const int sequence = index / parts_, part = index % parts_;
      const int begin = length_ * part / parts_, end = length_ * (part + 1) / parts_;
      return {.first_row = sequence * length_ + begin,
              .rows = end - begin,
              .first_segment = index,
              .segments = 1};
    }
    const int first = index * together_, count = std::min(together_, sequences_ - first);
    return {.first_row = first * length_,
            .rows = count * length_,
            .first_segment = first,
            .segments = count};
  }
  int max_block_rows() const {
    return parts_ > 1 ? (length_ + parts_ - 1) / parts_ : together_ * length_;
  }

 private:
  int length_, sequences_, parts_, together_;
};

}  // namespace localbatch
