#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "comm/mailbox.h"
#include "comm/mean_tree.h"

namespace localbatch {

/// An array that every worker has, as a rank sees it.
struct RankVector {
  std::vector<const float*> rows;  ///< of the hosted workers
  float* mean = nullptr;           ///< may be one of the rows
  std::size_t length = 0;
  Payload payload = Payload::kFloat32;
  std::uint32_t rounding_key = 0;
  Traffic traffic = Traffic::kParameters;
};

/// Elements of the blocks that an average along these levels is cut into, the same on all ranks.
std::size_t averaged_block_size(const std::vector<RankLevel>& levels);

/// One rank's part in averages over the workers of all ranks: reduce-scatter, then all-gather,
/// first inside each host, then between hosts, block by block.
///
/// At each level every owner among the peers gets its slice of their arrays, makes them into means
/// of as many neighbouring workers as are there, and takes part in the next level with that slice;
/// the mean of all comes back the same way. So what leaves a host are means of all its workers, and
/// the slices of its ranks leave side by side. Several blocks are under way, each a step behind the
/// next.
class RankAverage {
 public:
  /// Needs at least two ranks.
  RankAverage(int num_workers, Mailbox& mailbox);

  /// Collective over ranks.
  void run(std::span<const RankVector> vectors);

 private:
  /// The data of one level for a block that is under way.
  struct LevelData {
    Slice slice;                     ///< of the vector
    std::vector<const float*> rows;  ///< their first elements are those of slice.begin
    std::vector<float> joined;       ///< the rows that are no worker's own array
    std::vector<float> decoded;
    std::vector<std::byte> outgoing, incoming;
  };
  struct Block {
    const RankVector* vector = nullptr;
    std::vector<LevelData> parts;  ///< of each level, and of what this rank averages itself
    Messages messages;
  };

  void begin(Block& block, const RankVector& vector, Slice slice);
  void advance(Block& block, std::size_t step);
  void scatter(Block& block, std::size_t level);
  void join(Block& block, std::size_t level);
  void gather(Block& block, std::size_t level);
  void decode_gathered(Block& block, std::size_t level);

  Mailbox& mailbox_;
  std::vector<RankLevel> levels_;
  std::vector<SubtreeMeans> joins_;  ///< of each level's rows, peer by peer
  std::vector<Subtree> hosted_;      ///< what this rank's workers make up
  SubtreeMeans join_hosted_;         ///< those of several workers
  int first_worker_ = 0;
  std::size_t block_size_ = 1;  ///< in elements
  std::vector<Block> blocks_;   ///< under way, at most one in each step
};

}  // namespace localbatch
