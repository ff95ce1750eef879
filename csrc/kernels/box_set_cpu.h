// Tiles of a set of boxes, and one box against a tile: what all CPU loops over pairs are made of.
#pragma once
#include "../math/kinds.h"
#include "box_set.h"
#include "loops_cpu.h"

namespace fastiou {

// Tiles are padded to a multiple of this many boxes, so that no loop ends in scalar code.
constexpr int64_t kLanes = 16;
inline int64_t padded(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

template <Real T> FASTIOU_CLONES bool all_plain(const Columns<T, 4>& c, int64_t n) {
  int plain = 0;
  for (int64_t j = 0; j < n; ++j) plain += is_plain(box_at<T>(c, j));
  return plain == n;
}

// Boxes [begin, begin + n) of a set as corners, n <= kTile. Boxes that are masked, and the padding, have size 0.
template <Real T> struct SetTile {
  alignas(64) Columns<T, 4> corners;
  int64_t n = 0;
  int64_t odds = 0, odd[kTile<T>];  // the lanes whose boxes are not plain

  void load(const BoxSet& set, int64_t batch, int64_t begin, int64_t count) {
    n = count;
    dispatch_dtype<Accept::boxes>(set.dtype, [&]<class S>() {
      const S* first = static_cast<const S*>(set.data) + batch * set.batch_stride + begin * set.stride;
      gather_run<S, 4, T>(first, set.stride, set.inner, n, 0, corners);
    });
    static constexpr Columns<T, 2> no_points{};
    if (set.format != Format::xyxy) decode_tile<T>(set.format, n, no_points, corners);
    for (int k = 0; k < 4; ++k) std::fill(corners[k] + n, corners[k] + padded(n), T(0));
    if (set.mask)
      for (int64_t j = 0; j < n; ++j)
        if (!set.has(batch, begin + j)) set_box<T>(corners, j, Box<T>{0, 0, 0, 0});
    odds = 0;
    if (all_plain<T>(corners, padded(n))) return;
    for (int64_t j = 0; j < n; ++j)
      if (!is_plain(at(j))) odd[odds++] = j;
  }
  Box<T> at(int64_t j) const { return box_at<T>(corners, j); }
};

// The aspect angles of boxes [begin, end) of a tile.
template <Real T>
FASTIOU_CLONES void find_angles(const Columns<T, 4>& c, int64_t begin, int64_t end, T* __restrict angle) {
  for (int64_t j = begin; j < end; ++j) angle[j] = aspect_angle(box_at<T>(c, j));
}

// The scores of boxes, one after the other, against a tile of `n` lanes, as second boxes or as first; a row of scores
// for each, `step` apart.
template <class Kind, bool kLanesFirst, Real T>
FASTIOU_CLONES void score_plain(const Columns<T, 4>& lanes, int64_t n, const Columns<T, 4>& ones, int64_t begin,
                                int64_t end, const Eps<T>& e, T* __restrict out, int64_t step) {
  const Eps<T> eps = e;
  alignas(64) T lane_angle[kTile<T>], one_angle[kTile<T>];
  if constexpr (kByAngle<Kind>) find_angles<T>(lanes, 0, n, lane_angle), find_angles<T>(ones, begin, end, one_angle);
  for (int64_t i = begin; i < end; ++i, out += step) {
    const auto one = prepared<Kind>(box_at<T>(ones, i), one_angle[i]);
    for (int64_t j = 0; j < n; ++j) {
      const auto lane = prepared<Kind>(box_at<T>(lanes, j), lane_angle[j]);
      out[j] = kLanesFirst ? plain_score<Kind>(lane, one, eps) : plain_score<Kind>(one, lane, eps);
    }
  }
}
// The score of a lane with one box, whatever they are.
template <class Kind, bool kLanesFirst, Real T> T score_odd(const Box<T>& lane, const Box<T>& one, const Eps<T>& eps) {
  return kLanesFirst ? any_score<Kind>(lane, one, eps) : any_score<Kind>(one, lane, eps);
}

template <Real T>
using ScoreTile = void (*)(const Columns<T, 4>&, int64_t, const Columns<T, 4>&, int64_t, int64_t, const Eps<T>&, T*,
                           int64_t);

// The loop of a kind over plain boxes, and what is done again for others; null if there is no such kind.
template <Real T> struct TileScorer {
  ScoreTile<T> plain = nullptr;
  T (*odd)(const Box<T>&, const Box<T>&, const Eps<T>&) = nullptr;
};
template <Real T> TileScorer<T> tile_scorer(int64_t kind, bool lanes_first) {
  TileScorer<T> s;
  dispatch_score(kind, [&]<class K>() {
    s.plain = lanes_first ? score_plain<K, true, T> : score_plain<K, false, T>;
    s.odd = lanes_first ? score_odd<K, true, T> : score_odd<K, false, T>;
  });
  return s;
}

}  // namespace fastiou
