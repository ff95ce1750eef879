// Matching of rotated boxes on the CPU: the tasks are those of upright ones, the scores of a tile come from the stages.
#pragma once
#include "max_iou_cpu.h"
#include "rotated_set_cpu.h"

namespace fastiou {

template <Real T> struct RotatedMatchTile : Matches<T> {
  RotatedSetTile<T> tile;

  int64_t size() const { return tile.n; }
  int64_t first() const { return Matches<T>::first(size()); }
  bool disjoint(const RotatedBox<T>&) const { return false; }  // find_near() sees that soon enough
};

// What match_plain() does with scores, here of one gt with a tile: -infinity for boxes that are absent, 0 for those out
// of reach. Whether one of them exceeds `gt_best`.
template <Real T>
FASTIOU_CLONES bool take_better(Matches<T>& t, int64_t n, LaneIndex<T> k, T gt_best) {
  LaneIndex<T> exceeds = 0;
  for (int64_t j = 0; j < n; ++j) {
    const T s = t.scores[j];
    const LaneIndex<T> better = s > t.best[j] ? -1 : 0;
    t.index[j] = (k & better) | (t.index[j] & ~better);
    t.best[j] = max(s, t.best[j]);
    exceeds |= s > gt_best ? 1 : 0;
  }
  return exceeds != 0;
}

template <Real T> struct RotatedMatcher {
  using Tile = RotatedMatchTile<T>;
  using Gt = RotatedBox<T>;

  AngleUnit<T> unit;
  RotatedStages<T> stages;
  bool zero_if_disjoint;

  RotatedMatcher(int64_t code, Format format)
      : unit(angle_unit<T>(in_degrees(format))),
        stages(RotatedOptions{code}, in_degrees(format), false),
        zero_if_disjoint(fastiou::zero_if_disjoint(code)) {}

  bool ok() const { return stages.ok(); }

  void load(Tile& t, const BoxSet& set, int64_t batch, int64_t begin, int64_t n) const {
    t.tile.load(set, batch, begin, n, unit);
    for (int64_t j = 0; j < n; ++j) t.presence[j] = presence(set, batch, begin + j, t.tile.at(j));
  }
  std::vector<RotatedBox<T>> load(const BoxSet& set, int64_t batch) const {
    std::vector<RotatedBox<T>> boxes(set.count);
    RotatedSetTile<T> tile;
    for (int64_t begin = 0; begin < set.count; begin += kTile<T>) {
      tile.load(set, batch, begin, std::min<int64_t>(kTile<T>, set.count - begin), unit);
      for (int64_t j = 0; j < tile.n; ++j) boxes[begin + j] = tile.at(j);
    }
    return boxes;
  }

  bool match(Tile& t, const RotatedBox<T>& gt, Presence, LaneIndex<T> k, const Eps<T>&, T gt_best) const {
    return score(t, gt) && take_better<T>(t, padded(t.size()), k, gt_best);
  }
  void match_ties(Tile& t, const RotatedBox<T>& gt, Presence, LaneIndex<T> k, const Eps<T>&, T value) const {
    if (!score(t, gt) && value != 0) return;
    for (int64_t j = 0; j < t.size(); ++j)
      if (t.scores[j] == value) t.index[j] = k;
  }

 private:
  // Whether there is a score that could matter.
  bool score(Tile& t, const RotatedBox<T>& gt) const {
    const int64_t n = t.size();
    for (int64_t j = 0; j < n; ++j) t.scores[j] = t.presence[j] == Presence::absent ? -kInfinity<T> : T(0);
    std::fill(t.scores + n, t.scores + padded(n), -kInfinity<T>);
    const auto done = [&t](const RotatedTile<T>& pairs, const int64_t* tags, int64_t count) {
      for (int64_t k = 0; k < count; ++k) t.scores[tags[k]] = pairs.result.v[0][k];
    };
    RotatedBatch<T, decltype(done)> pairs(stages, done);
    NearBoxes<T> near(!zero_if_disjoint);
    bool any = false;
    near(t.tile.surroundings(), n, gt, reach_of(gt, unit), [&](int64_t j) {
      any = true;
      if (t.presence[j] != Presence::absent) pairs.add(t.tile.at(j), gt, j);
    });
    pairs.flush();
    return any;
  }
};

}  // namespace fastiou
