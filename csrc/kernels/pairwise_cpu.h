// Pairwise scores on the CPU: a block of boxes, one after the other, against a tile of boxes in vector lanes.
#pragma once
#include "box_set_cpu.h"
#include "pairwise.h"

namespace fastiou {

// One task: this many boxes against one tile.
constexpr int64_t kOnes = 128;

// The work cut into tasks that do not depend on each other. The second set lies in the lanes, because its scores are
// neighbours in memory, unless it is too small to fill them.
template <Real T> struct PairwiseTasks {
  const PairwiseArgs& a;
  const bool lanes_first;
  const TileScorer<T> score;
  const BoxSet &lanes, &ones;
  const int64_t lane_tiles, one_blocks;

  PairwiseTasks(const PairwiseArgs& args, int64_t kind)
      : a(args),
        lanes_first(a.second.count < kLanes / 2 && a.first.count > a.second.count),
        score(tile_scorer<T>(kind, lanes_first)),
        lanes(lanes_first ? a.first : a.second),
        ones(lanes_first ? a.second : a.first),
        lane_tiles((lanes.count + kTile<T> - 1) / kTile<T>),
        one_blocks((ones.count + kOnes - 1) / kOnes) {}

  bool ok() const { return score.plain != nullptr; }
  int64_t count() const { return a.batch * one_blocks * lane_tiles; }

  void operator()(int64_t task) const {
    const int64_t lane_begin = task % lane_tiles * kTile<T>;
    const int64_t one_begin = task / lane_tiles % one_blocks * kOnes;
    const int64_t batch = task / lane_tiles / one_blocks;
    if (a.out_dtype == DType::f64) run<double>(batch, one_begin, lane_begin);
    else run<float>(batch, one_begin, lane_begin);
  }

 private:
  template <Real S> void run(int64_t batch, int64_t one_begin, int64_t lane_begin) const {
    SetTile<T> lane, one;
    lane.load(lanes, batch, lane_begin, std::min<int64_t>(kTile<T>, lanes.count - lane_begin));
    const int64_t one_end = std::min(one_begin + kOnes, ones.count);
    const int64_t one_step = lanes_first ? 1 : a.second.count, lane_step = lanes_first ? a.second.count : 1;
    S* const block =
        static_cast<S*>(a.out) + batch * a.first.count * a.second.count + one_begin * one_step + lane_begin * lane_step;
    for (int64_t begin = one_begin; begin < one_end; begin += kTile<T>) {  // a tile of double is no larger than a block
      one.load(ones, batch, begin, std::min<int64_t>(kTile<T>, one_end - begin));
      write_scores(lane, one, block + (begin - one_begin) * one_step, one_step, lane_step);
    }
    if (lanes.mask || ones.mask)
      for (int64_t i = one_begin; i < one_end; ++i) {
        const bool has = ones.has(batch, i);
        for (int64_t j = 0; j < lane.n; ++j)
          if (!has || !lanes.has(batch, lane_begin + j)) block[(i - one_begin) * one_step + j * lane_step] = 0;
      }
  }

  // Straight into the result where that is contiguous and as wide as the tile with its padding. Where a tile is a whole
  // row, the padding falls on the next row, which is written after it; so the last row goes another way.
  template <Real S>
  void write_scores(const SetTile<T>& lane, const SetTile<T>& one, S* out, int64_t one_step, int64_t lane_step) const {
    const Eps<T> eps = eps_of<T>(a.eps);
    const int64_t n = lane.n, m = one.n;
    int64_t done = 0;
    if constexpr (std::is_same_v<S, T>)
      if (lane_step == 1 && (n % kLanes == 0 || (lane_tiles == 1 && n >= kLanes))) {
        done = n % kLanes == 0 ? m : m - 1;
        score.plain(lane.corners, padded(n), one.corners, 0, done, eps, out, one_step);
      }
    constexpr int64_t kRows = 16;
    alignas(64) Columns<T, 1> rows[kRows];
    for (int64_t i = done; i < m; i += kRows) {
      const int64_t end = std::min(i + kRows, m);
      score.plain(lane.corners, padded(n), one.corners, i, end, eps, rows[0][0], kTile<T>);
      for (int64_t r = i; r < end; ++r) scatter_run<S, 1, T>(out + r * one_step, lane_step, 1, n, 0, rows[r - i]);
    }
    // Again, with care, where a box is not plain.
    const auto again = [&](int64_t i, int64_t j) {
      out[i * one_step + j * lane_step] = static_cast<S>(score.odd(lane.at(j), one.at(i), eps));
    };
    for (int64_t i = 0; i < m && lane.odds > 0; ++i)
      for (int64_t k = 0; k < lane.odds; ++k) again(i, lane.odd[k]);
    for (int64_t k = 0; k < one.odds; ++k)
      for (int64_t j = 0; j < n; ++j) again(one.odd[k], j);
  }
};

}  // namespace fastiou
