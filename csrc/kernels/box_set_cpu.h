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

// Boxes [begin, begin + n) of a set as corners, n <= kTile; the padding is boxes of size 0. Returns whether all are plain.
template <Real T> bool load_tile(const BoxSet& set, int64_t batch, int64_t begin, int64_t n, Columns<T, 4>& c) {
  dispatch_dtype<Accept::boxes>(set.dtype, [&]<class S>() {
    const S* first = static_cast<const S*>(set.data) + batch * set.batch_stride + begin * set.stride;
    gather_run<S, 4, T>(first, set.stride, set.inner, n, 0, c);
  });
  static constexpr Columns<T, 2> no_points{};
  if (set.format != Format::xyxy) decode_tile<T>(set.format, n, no_points, c);
  for (int k = 0; k < 4; ++k) std::fill(c[k] + n, c[k] + padded(n), T(0));
  return all_plain<T>(c, padded(n));
}

// The scores of boxes, one after the other, against a tile of `n` lanes, as second boxes or as first; a row of scores for
// each, `step` apart.
template <class Kind, bool kLanesFirst, Real T>
FASTIOU_CLONES void score_plain(const Columns<T, 4>& lanes, int64_t n, const Columns<T, 4>& ones, int64_t begin,
                                int64_t end, const Eps<T>& e, T* __restrict out, int64_t step) {
  const Eps<T> eps = e;
  for (int64_t i = begin; i < end; ++i, out += step) {
    const Box<T> one = box_at<T>(ones, i);
    for (int64_t j = 0; j < n; ++j) {
      const Box<T> lane = box_at<T>(lanes, j);
      out[j] = kLanesFirst ? plain_score<Kind>(lane, one, eps) : plain_score<Kind>(one, lane, eps);
    }
  }
}
template <class Kind, bool kLanesFirst, Real T>
void score_any(const Columns<T, 4>& lanes, int64_t n, const Columns<T, 4>& ones, int64_t begin, int64_t end,
               const Eps<T>& eps, T* out, int64_t step) {
  for (int64_t i = begin; i < end; ++i, out += step) {
    const Box<T> one = box_at<T>(ones, i);
    for (int64_t j = 0; j < n; ++j) {
      const Box<T> lane = box_at<T>(lanes, j);
      out[j] = kLanesFirst ? any_score<Kind>(lane, one, eps) : any_score<Kind>(one, lane, eps);
    }
  }
}

template <Real T>
using ScoreTile = void (*)(const Columns<T, 4>&, int64_t, const Columns<T, 4>&, int64_t, int64_t, const Eps<T>&, T*, int64_t);

// The loops of a kind: for plain boxes, and for any; null if there is no such kind.
template <Real T> struct TileScorer {
  ScoreTile<T> plain = nullptr, any = nullptr;
};
template <Real T> TileScorer<T> tile_scorer(int64_t kind, bool lanes_first) {
  TileScorer<T> s;
  dispatch_score(kind, [&]<class K>() {
    s.plain = lanes_first ? score_plain<K, true, T> : score_plain<K, false, T>;
    s.any = lanes_first ? score_any<K, true, T> : score_any<K, false, T>;
  });
  return s;
}

}  // namespace fastiou
