// Boxes picked from a set, in tiles, and the scores of one of them against a tile.
#pragma once
#include <functional>
#include <vector>

#include "box_set_cpu.h"
#include "nms.h"
#include "rotated.h"

namespace fastiou {

template <Real T> struct BoxTile {
  alignas(64) Columns<T, 4> boxes;     // corners; centre and sides of rotated boxes,
  alignas(64) Columns<T, 3> more;       // which have these, too: angle, and how far they reach
  int64_t index[kTile<T>];             // of a box in its set
  bool odd[kTile<T>];                  // not plain (kernels/pair.h); all false where odds is 0
  int64_t odds, n;
  bool rotated = false;

  // To be called when boxes or n have changed.
  void finish() {
    for (int k = 0; k < 4; ++k) std::fill(boxes[k] + n, boxes[k] + padded(n), T(0));
    odds = 0;
    if (rotated || all_plain<T>(boxes, padded(n))) return;
    for (int64_t j = 0; j < n; ++j) odds += odd[j] = !is_plain(box_at<T>(boxes, j));
  }
  bool is_odd(int64_t j) const { return odds > 0 && odd[j]; }

  void copy(int64_t to, const BoxTile& from, int64_t j) {
    set_box<T>(boxes, to, box_at<T>(from.boxes, j));
    for (int k = 0; k < 3 && rotated; ++k) more[k][to] = from.more[k][j];
    index[to] = from.index[j];
  }
};

template <Real T> RotatedBox<T> rotated_at(const BoxTile<T>& tile, int64_t j) {
  return {tile.boxes[0][j], tile.boxes[1][j], tile.boxes[2][j], tile.boxes[3][j], tile.more[0][j]};
}

template <Real T> using BoxTiles = std::vector<BoxTile<T>>;

// The boxes order[0], order[1], ... of a set.
template <Real T> BoxTiles<T> load_tiles(const BoxSet& set, const int64_t* order, int64_t n) {
  static constexpr Columns<T, 2> no_points{};
  BoxTiles<T> tiles((n + kTile<T> - 1) / kTile<T>);
  for (BoxTile<T>& tile : tiles) {
    tile.n = std::min<int64_t>(kTile<T>, n);
    std::copy_n(order, tile.n, tile.index);
    tile.rotated = set.rotated();
    dispatch_dtype<Accept::boxes>(set.dtype, [&]<class S>() {
      for (int64_t j = 0; j < tile.n; ++j) {
        const S* const from = static_cast<const S*>(set.data) + order[j] * set.stride;
        for (int k = 0; k < 4; ++k) tile.boxes[k][j] = static_cast<T>(from[k * set.inner]);
        if (tile.rotated) {
          const T angle = static_cast<T>(from[4 * set.inner]);
          tile.more[0][j] = counterclockwise(set.format) ? -angle : angle;
        }
      }
    });
    if (set.format != Format::xyxy && !tile.rotated) decode_tile<T>(set.format, tile.n, no_points, tile.boxes);
    if (tile.rotated) {
      const AngleUnit<T> unit = angle_unit<T>(in_degrees(set.format));
      for (int64_t j = 0; j < tile.n; ++j) {
        const Reach<T> r = reach_of(rotated_at(tile, j), unit);
        tile.more[1][j] = r.x, tile.more[2][j] = r.y;
      }
    }
    tile.finish();
    order += tile.n, n -= tile.n;
  }
  return tiles;
}

// Moves the boxes together, in their order, if that leaves fewer tiles: from tile `first` on.
template <Real T> void repack(BoxTiles<T>& tiles, size_t first) {
  size_t to = first;
  for (size_t from = first; from < tiles.size(); ++from) {
    if (from == to) continue;
    BoxTile<T>& source = tiles[from];
    int64_t taken = std::min(kTile<T> - tiles[to].n, source.n);
    for (int64_t j = 0; j < taken; ++j) tiles[to].copy(tiles[to].n++, source, j);
    if (taken == source.n) continue;
    tiles[to++].finish();
    int64_t left = 0;
    for (int64_t j = taken; j < source.n; ++j) tiles[to].copy(left++, source, j);  // onto itself, or onto one emptied
    tiles[to].n = left;
  }
  if (first < tiles.size()) tiles[to].finish(), tiles.resize(tiles[to].n > 0 ? to + 1 : to);
}

template <Real T> FASTIOU_CLONES void subtract_power(T* __restrict row, const T* __restrict x, int64_t n, T y) {
  for (int64_t j = 0; j < n; ++j) row[j] -= pow(x[j], y);
}

// Scores of one box against the boxes of a tile, by the rule of an OverlapKind.
template <Real T> class RowOverlap {
 public:
  // Scores of box i of a tile against another tile, into a row.
  using Rows = std::function<void(const BoxTile<T>&, int64_t, const BoxTile<T>&, T*)>;

  explicit RowOverlap(const OverlapKind& o) : beta_(static_cast<T>(o.beta)) {
    dispatch_score(o.kind, [&]<class K>() { score_ = loops<K>(); });
    if (o.powers()) score_ = loops<IoU>(), distance_ = loops<CentreDistance>();
  }
  explicit RowOverlap(Rows rotated) : rotated_(std::move(rotated)) {}
  bool ok() const { return score_.plain != nullptr || rotated_; }

  // Box i of `ones` first, against all of `lanes`, into `row`; numbers without meaning up to padded(lanes.n).
  void operator()(const BoxTile<T>& ones, int64_t i, const BoxTile<T>& lanes, T* row) const {
    if (rotated_) return rotated_(ones, i, lanes, row);
    fill(score_, ones, i, lanes, row);
    if (!distance_.plain) return;
    alignas(64) T distance[kTile<T>];
    fill(distance_, ones, i, lanes, distance);
    subtract_power(row, distance, padded(lanes.n), beta_);
  }

 private:
  struct Loops {
    ScoreTile<T> plain = nullptr;
    T (*any)(const Box<T>&, const Box<T>&, const Eps<T>&) = nullptr;
  };
  template <class K> static Loops loops() { return {score_plain<K, false, T>, any_score<K, T>}; }

  static void fill(const Loops& score, const BoxTile<T>& ones, int64_t i, const BoxTile<T>& lanes, T* row) {
    constexpr Eps<T> eps{0, 0, 0};
    const bool odd = ones.is_odd(i);
    if (!odd) score.plain(lanes.boxes, padded(lanes.n), ones.boxes, i, i + 1, eps, row, 0);
    if (!odd && lanes.odds == 0) return;
    const Box<T> one = box_at<T>(ones.boxes, i);
    for (int64_t j = 0; j < lanes.n; ++j)
      if (odd || lanes.odd[j]) row[j] = score.any(one, box_at<T>(lanes.boxes, j), eps);
  }

  Loops score_, distance_;
  T beta_ = 1;
  Rows rotated_;
};

}  // namespace fastiou
