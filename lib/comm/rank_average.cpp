#include "comm/rank_average.h"

#include <algorithm>

#include "comm/workers.h"

namespace localbatch {

namespace {

/// Numbers of a message that is long enough to hide the latency of a network, and of a block that
/// is small beside the parameters of a worker, however many ranks there are.
constexpr std::size_t kMessage = std::size_t{1} << 16;
constexpr std::size_t kLargestBlock = std::size_t{1} << 21;

/// Slices begin where blocks of the payload do, if the whole one does.
Slice part_of(Slice whole, std::size_t index, std::size_t parts, Payload payload) {
  const Slice part = slice_of(whole.size(), index, parts, block_of(payload));
  return {whole.begin + part.begin, whole.begin + part.end};
}

MeanRounding rounding_of(const RankVector& vector, std::size_t first) {
  return {.payload = vector.payload, .key = vector.rounding_key, .first = first};
}

template <class T>
T* at_least(std::vector<T>& buffer, std::size_t size) {
  if (buffer.size() < size) buffer.resize(size);
  return buffer.data();
}

}  // namespace

std::size_t averaged_block_size(const std::vector<RankLevel>& levels) {
  std::size_t slices = 1;
  for (const RankLevel& level : levels) slices *= level.group->owners;
  return std::min(kMessage * slices, kLargestBlock);
}

RankAverage::RankAverage(int num_workers, Mailbox& mailbox)
    : mailbox_(mailbox),
      levels_(rank_levels(num_workers, mailbox.hosts())[static_cast<std::size_t>(mailbox.rank())]),
      hosted_(hosted_subtrees(num_workers, mailbox.rank(), mailbox.num_ranks())) {
  const HostedWorkers mine = hosted_workers(num_workers, mailbox.rank(), mailbox.num_ranks());
  first_worker_ = mine.first;
  std::vector<Subtree> workers, several;
  for (int local_index = 0; local_index < mine.count; ++local_index)
    workers.push_back({mine.first + local_index, 1});
  std::ranges::copy_if(hosted_, std::back_inserter(several),
                       [](const Subtree& tree) { return tree.count > 1; });
  join_hosted_ = SubtreeMeans(workers, several);

  for (const RankLevel& level : levels_) {
    std::vector<Subtree> rows;
    for (const auto& theirs : level.group->rows)
      rows.insert(rows.end(), theirs.begin(), theirs.end());
    joins_.emplace_back(rows, level.group->means);
  }
  block_size_ = averaged_block_size(levels_);
  blocks_.resize(2 * levels_.size() + 1);
  for (Block& block : blocks_) block.parts.resize(levels_.size() + 1);
}

void RankAverage::run(std::span<const RankVector> vectors) {
  struct Piece {
    const RankVector* vector;
    Slice slice;
  };
  std::vector<Piece> pieces;
  for (const RankVector& vector : vectors)
    for (std::size_t begin = 0; begin < vector.length; begin += block_size_)
      pieces.push_back({&vector, {begin, std::min(begin + block_size_, vector.length)}});

  // Each step starts messages that the next step of the same block waits for.
  const std::size_t steps = blocks_.size();
  for (std::size_t time = 0; time + 1 < pieces.size() + steps; ++time)
    for (std::size_t step = 0; step < steps && step <= time; ++step) {
      const std::size_t index = time - step;
      if (index >= pieces.size()) continue;
      Block& block = blocks_[index % steps];
      if (step == 0) begin(block, *pieces[index].vector, pieces[index].slice);
      advance(block, step);
    }
}

void RankAverage::begin(Block& block, const RankVector& vector, Slice slice) {
  block.vector = &vector;
  LevelData& part = block.parts[0];
  part.slice = slice;
  part.rows.clear();
  std::vector<const float*> arrays;
  for (const float* const row : vector.rows) arrays.push_back(row + slice.begin);
  std::vector<float*> means;
  float* joined = at_least(part.joined, hosted_.size() * slice.size());
  for (const Subtree& tree : hosted_) {
    if (tree.count == 1) {
      part.rows.push_back(arrays[tree.first - first_worker_]);
      continue;
    }
    means.push_back(joined);
    part.rows.push_back(joined);
    joined += slice.size();
  }
  join_hosted_.compute(arrays, {0, slice.size()}, rounding_of(vector, slice.begin), means);
}

void RankAverage::advance(Block& block, std::size_t step) {
  const std::size_t top = levels_.size();
  mailbox_.wait(block.messages);
  if (step > 0 && step <= top) join(block, step - 1);
  if (step > top) decode_gathered(block, 2 * top - step);
  if (step < top) scatter(block, step);
  if (step >= top && step < 2 * top) gather(block, 2 * top - 1 - step);
}

void RankAverage::scatter(Block& block, std::size_t l) {
  const RankLevel& level = levels_[l];
  const Payload payload = block.vector->payload;
  LevelData& part = block.parts[l];
  std::byte* out =
      at_least(part.outgoing, part.rows.size() * encoded_size(payload, part.slice.size()));
  for (std::size_t owner = 0; owner < level.group->owners; ++owner) {
    const Slice slice = part_of(part.slice, owner, level.group->owners, payload);
    if (owner == level.me || slice.size() == 0) continue;
    std::byte* const begin = out;
    for (const float* const row : part.rows) {
      encode({row + (slice.begin - part.slice.begin), slice.size()}, payload, out);
      out += encoded_size(payload, slice.size());
    }
    mailbox_.send(level.group->peers[owner], {begin, out}, block.vector->traffic, block.messages);
  }
  if (!level.owns()) return;

  const Slice mine = part_of(part.slice, level.me, level.group->owners, payload);
  block.parts[l + 1].slice = mine;
  if (mine.size() == 0) return;
  const std::size_t row_bytes = encoded_size(payload, mine.size());
  std::byte* in = at_least(part.incoming, level.group->num_rows() * row_bytes);
  for (std::size_t peer = 0; peer < level.group->peers.size(); ++peer) {
    if (peer == level.me) continue;
    const std::size_t bytes = level.group->rows[peer].size() * row_bytes;
    mailbox_.receive(level.group->peers[peer], {in, bytes}, block.messages);
    in += bytes;
  }
}

void RankAverage::join(Block& block, std::size_t l) {
  const RankLevel& level = levels_[l];
  if (!level.owns()) return;
  LevelData& part = block.parts[l];
  LevelData& next = block.parts[l + 1];
  const RankVector& vector = *block.vector;
  const std::size_t size = next.slice.size();

  std::vector<const float*> rows;
  const std::byte* in = part.incoming.data();
  float* decoded = nullptr;
  if (vector.payload != Payload::kFloat32)
    decoded = at_least(part.decoded, level.group->num_rows() * size);
  for (std::size_t peer = 0; peer < level.group->peers.size(); ++peer)
    for (std::size_t k = 0; k < level.group->rows[peer].size(); ++k) {
      if (peer == level.me) {
        rows.push_back(part.rows[k] + (next.slice.begin - part.slice.begin));
        continue;
      }
      if (decoded == nullptr) {
        rows.push_back(reinterpret_cast<const float*>(in));
      } else {
        decode(in, vector.payload, {decoded, size});
        rows.push_back(decoded);
        decoded += size;
      }
      in += encoded_size(vector.payload, size);
    }

  std::vector<float*> means;
  next.rows.clear();
  float* joined = l + 1 == levels_.size() ? vector.mean + next.slice.begin
                                          : at_least(next.joined, level.group->means.size() * size);
  for (std::size_t k = 0; k < level.group->means.size(); ++k) {
    means.push_back(joined + k * size);
    next.rows.push_back(means.back());
  }
  joins_[l].compute(rows, {0, size}, rounding_of(vector, next.slice.begin), means);
}

void RankAverage::gather(Block& block, std::size_t l) {
  const RankLevel& level = levels_[l];
  const RankVector& vector = *block.vector;
  LevelData& part = block.parts[l];
  const bool as_floats = vector.payload == Payload::kFloat32;
  const auto size_of = [&](std::size_t count) { return encoded_size(vector.payload, count); };

  if (level.owns()) {
    const Slice mine = block.parts[l + 1].slice;
    const std::span<const float> values(vector.mean + mine.begin, mine.size());
    std::span<const std::byte> bytes = std::as_bytes(values);
    if (!as_floats) {
      std::byte* const out = at_least(part.outgoing, size_of(values.size()));
      encode(values, vector.payload, out);
      bytes = {out, size_of(values.size())};
    }
    for (std::size_t peer = 0; peer < level.group->peers.size(); ++peer)
      if (peer != level.me && !bytes.empty())
        mailbox_.send(level.group->peers[peer], bytes, vector.traffic, block.messages);
  }
  std::byte* const in = at_least(part.incoming, as_floats ? 0 : size_of(part.slice.size()));
  for (std::size_t owner = 0; owner < level.group->owners; ++owner) {
    const Slice slice = part_of(part.slice, owner, level.group->owners, vector.payload);
    if (owner == level.me || slice.size() == 0) continue;
    const std::span<std::byte> message =
        as_floats ? std::as_writable_bytes(std::span(vector.mean + slice.begin, slice.size()))
                  : std::span(in + size_of(slice.begin - part.slice.begin), size_of(slice.size()));
    mailbox_.receive(level.group->peers[owner], message, block.messages);
  }
}

void RankAverage::decode_gathered(Block& block, std::size_t l) {
  const RankLevel& level = levels_[l];
  const RankVector& vector = *block.vector;
  if (vector.payload == Payload::kFloat32) return;
  const LevelData& part = block.parts[l];
  for (std::size_t owner = 0; owner < level.group->owners; ++owner) {
    if (owner == level.me) continue;
    const Slice slice = part_of(part.slice, owner, level.group->owners, vector.payload);
    decode(part.incoming.data() + encoded_size(vector.payload, slice.begin - part.slice.begin),
           vector.payload, {vector.mean + slice.begin, slice.size()});
  }
}

}  // namespace localbatch
