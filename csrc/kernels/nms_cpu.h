// Greedy suppression on the CPU, a tile of boxes at a time. The best tile is decided box by box; what it keeps is then
// scored against all later tiles, which lose the boxes that are suppressed and are packed together now and then.
#pragma once
#include <algorithm>

#include "sort_cpu.h"
#include "tiles_cpu.h"

namespace fastiou {

// Calls task(i) for i < count, one after the other. Loops below take this or the like of for_tasks() in ops/parallel.h.
struct OneByOne {
  template <class Task> void operator()(int64_t count, const Task& task) const {
    for (int64_t i = 0; i < count; ++i) task(i);
  }
};

// Calls task(i) for i < count, side by side if that many pairs of boxes are worth waking up threads.
template <class Parallel, class Task>
void share_out(int64_t pairs, int64_t count, const Parallel& parallel, const Task& task) {
  constexpr int64_t worth_threads = 1 << 22;  // half a millisecond
  if (count > 1 && pairs >= worth_threads) parallel(count, task);
  else OneByOne{}(count, task);
}

// Calls f(segment, inner) for every class: classes side by side, or the work inside the only one.
template <class Parallel, class F> void for_segments(const Segments& segments, const Parallel& parallel, const F& f) {
  if (segments.count() == 1) return f(0, parallel);
  int64_t pairs = 0;
  for (int64_t s = 0; s < segments.count(); ++s) pairs += segments.size(s) * segments.size(s) / 2;
  share_out(pairs, segments.count(), parallel, [&](int64_t s) { f(s, OneByOne{}); });
}

// The largest score of each lane so far; NaN is no score.
template <Real T> FASTIOU_CLONES void raise(T* __restrict most, const T* __restrict row, int64_t n) {
  for (int64_t j = 0; j < n; ++j) most[j] = max(row[j], most[j]);
}

// Leaves lanes[0], lanes[1], ... of a tile; they ascend.
template <Real T> void leave(BoxTile<T>& tile, const int64_t* lanes, int64_t n) {
  if (n == tile.n) return;
  for (int64_t j = 0; j < n; ++j) tile.copy(j, tile, lanes[j]);
  tile.n = n;
  tile.finish();
}

// Leaves the boxes of a tile that greedy suppression among themselves keeps.
template <Real T> void settle_head(BoxTile<T>& head, const RowOverlap<T>& overlap, T threshold) {
  alignas(64) T most[kTile<T>], row[kTile<T>];
  int64_t kept[kTile<T>], n = 0;
  std::fill_n(most, padded(head.n), -kLargest<T>);
  for (int64_t i = 0; i < head.n; ++i) {
    if (most[i] > threshold) continue;
    kept[n++] = i;
    overlap(head, i, head, row);
    raise(most, row, padded(head.n));
  }
  leave(head, kept, n);
}

// Leaves the boxes of a tile that none of `kept` overlaps beyond the threshold.
template <Real T>
void suppress_tile(const BoxTile<T>& kept, BoxTile<T>& tile, const RowOverlap<T>& overlap, T threshold) {
  alignas(64) T most[kTile<T>], row[kTile<T>];
  std::fill_n(most, padded(tile.n), -kLargest<T>);
  for (int64_t i = 0; i < kept.n; ++i) {
    overlap(kept, i, tile, row);
    raise(most, row, padded(tile.n));
  }
  int64_t left[kTile<T>], n = 0;
  for (int64_t j = 0; j < tile.n; ++j)
    if (!(most[j] > threshold)) left[n++] = j;
  leave(tile, left, n);
}

// Leaves the boxes that are kept, of boxes by decreasing score. Several tiles are decided before threads are woken for
// all later ones: a wake-up costs more the busier the machine is.
template <Real T, class Parallel>
void suppress(BoxTiles<T>& tiles, const RowOverlap<T>& overlap, T threshold, const Parallel& parallel) {
  constexpr int64_t heads = 4 * 256 / kTile<T>, task_pairs = 1 << 17;
  for (int64_t begin = 0, end; begin < static_cast<int64_t>(tiles.size()); begin = end) {
    const int64_t count = static_cast<int64_t>(tiles.size());
    end = std::min(begin + heads, count);
    int64_t kept = 0;
    for (int64_t head = begin; head < end; ++head) {
      for (int64_t better = begin; better < head; ++better)
        suppress_tile(tiles[better], tiles[head], overlap, threshold);
      settle_head(tiles[head], overlap, threshold);
      kept += tiles[head].n;
    }
    const int64_t tile_pairs = kept * kTile<T>, group = task_pairs / (tile_pairs + 1) + 1;
    share_out((count - end) * tile_pairs, (count - end + group - 1) / group, parallel, [&](int64_t task) {
      for (int64_t t = end + task * group; t < std::min(count, end + (task + 1) * group); ++t)
        for (int64_t head = begin; head < end; ++head) suppress_tile(tiles[head], tiles[t], overlap, threshold);
    });
    int64_t left = 0;
    for (int64_t t = end; t < count; ++t) left += tiles[t].n;
    if (left * 4 < (count - end) * kTile<T> * 3) repack(tiles, end);
  }
}

template <Real T> FASTIOU_CLONES bool any_above(const T* row, int64_t n, T threshold) {
  T most[kLanes];
  for (int l = 0; l < kLanes; ++l) most[l] = threshold;
  for (int64_t j = 0; j < n; j += kLanes)
    for (int l = 0; l < kLanes; ++l) most[l] = max(row[j + l], most[l]);
  return std::any_of(most, most + kLanes, [threshold](T m) { return m > threshold; });
}

// Row `slot[k]` of the merged boxes for every kept box k of a class; `order` is the class by decreasing score.
template <Real T>
struct MergeTasks {
  const NmsArgs& a;
  const RowOverlap<T>& overlap;
  const int64_t* const slot;
  BoxTiles<T> kept, dropped;
  std::vector<int64_t> kept_rank, dropped_rank;

  MergeTasks(const NmsArgs& args, const RowOverlap<T>& o, const int64_t* slots, const int64_t* order, int64_t n)
      : a(args), overlap(o), slot(slots) {
    std::vector<int64_t> kept_order, dropped_order;
    for (int64_t rank = 0; rank < n; ++rank) {
      const bool keep = a.keep[order[rank]];
      (keep ? kept_order : dropped_order).push_back(order[rank]);
      (keep ? kept_rank : dropped_rank).push_back(rank);
    }
    kept = load_tiles<T>(a.in.boxes, kept_order.data(), static_cast<int64_t>(kept_order.size()));
    dropped = load_tiles<T>(a.in.boxes, dropped_order.data(), static_cast<int64_t>(dropped_order.size()));
  }

  int64_t count() const { return static_cast<int64_t>(kept_rank.size()); }

  void operator()(int64_t task) const {
    const BoxTile<T>& ones = kept[task / kTile<T>];
    const int64_t one = task % kTile<T>;
    MergedBox sum;
    sum.add(a.in, ones.index[one], 1);
    const T threshold = floor_to<T>(a.threshold);
    // A box that was dropped had lost to a better one, not to this one, if its rank is lower.
    const int64_t first =
        std::lower_bound(dropped_rank.begin(), dropped_rank.end(), kept_rank[task]) - dropped_rank.begin();
    alignas(64) T row[kTile<T>];
    for (int64_t t = first / kTile<T>; t < static_cast<int64_t>(dropped.size()); ++t) {
      const BoxTile<T>& lanes = dropped[t];
      overlap(ones, one, lanes, row);
      std::fill(row + lanes.n, row + padded(lanes.n), threshold);
      if (!any_above(row, padded(lanes.n), threshold)) continue;
      for (int64_t j = std::max<int64_t>(0, first - t * kTile<T>); j < lanes.n; ++j)
        if (row[j] > threshold) sum.add(a.in, lanes.index[j], row[j]);
    }
    for (int k = 0; k < 4; ++k)
      static_cast<T*>(a.merged)[4 * slot[ones.index[one]] + k] = static_cast<T>(sum.mean(a.in, ones.index[one], k));
  }
};

// False if there is no such kind. `parallel` is called as parallel(count, task).
template <Real T, class Parallel>
bool nms_cpu(const NmsArgs& a, const RowOverlap<T>& overlap, const Parallel& parallel) {
  if (!overlap.ok()) return false;
  std::vector<Keyed> ranked = candidates(a.in);
  sort_by_key(ranked);
  const Segments segments(a.in, ranked);
  const int64_t n = a.in.boxes.count;
  std::fill_n(a.keep, n, false);
  for_segments(segments, parallel, [&](int64_t s, const auto& inner) {
    BoxTiles<T> tiles = load_tiles<T>(a.in.boxes, segments.of(s), segments.size(s));
    suppress(tiles, overlap, floor_to<T>(a.threshold), inner);
    for (const BoxTile<T>& tile : tiles)
      for (int64_t j = 0; j < tile.n; ++j) a.keep[tile.index[j]] = true;
  });
  int64_t kept = 0;
  for (const Keyed& x : ranked)
    if (a.keep[x.index]) a.selected[kept++] = x.index;
  *a.kept_count = kept;
  std::fill(a.selected + kept, a.selected + n, -1);
  if (a.merged == nullptr) return true;

  std::vector<int64_t> slot(n);
  for (int64_t i = 0; i < kept; ++i) slot[a.selected[i]] = i;
  std::fill_n(static_cast<T*>(a.merged) + 4 * kept, 4 * (n - kept), T(0));
  for_segments(segments, parallel, [&](int64_t s, const auto& inner) {
    const MergeTasks<T> tasks(a, overlap, slot.data(), segments.of(s), segments.size(s));
    share_out(tasks.count() * segments.size(s), tasks.count(), inner, tasks);
  });
  return true;
}

}  // namespace fastiou
