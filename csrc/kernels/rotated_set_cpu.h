// Tiles of a set of rotated boxes, and pairs of them that are worth a look: what the CPU loops over pairs are made of.
#pragma once
#include "box_set.h"
#include "rotated_cpu.h"

namespace fastiou {

// Columns of rotated boxes: centre, sides, angle, reach.
template <Real T> using RotatedColumns = Columns<T, 7>;

template <Real T> FASTIOU_CLONES void find_reach(RotatedColumns<T>& c, int64_t n, const AngleUnit<T>& u) {
  const AngleUnit<T> unit = u;
  for (int64_t j = 0; j < n; ++j) {
    const Reach<T> r = reach_of(RotatedBox<T>{c[0][j], c[1][j], c[2][j], c[3][j], c[4][j]}, unit);
    c[5][j] = r.x, c[6][j] = r.y;
  }
}

template <Real T> FASTIOU_CLONES void turn_around(T* angle, int64_t n) {
  for (int64_t j = 0; j < n; ++j) angle[j] = -angle[j];
}

// Where boxes are, and how far they reach.
template <Real T> struct Surroundings {
  const T *x, *y, *reach_x, *reach_y;
};

// How many of the first n boxes may have a point in common with one at (x, y); `near` marks them. NaN is near
// everything.
template <Real T>
FASTIOU_CLONES int64_t find_near(const Surroundings<T>& c, int64_t n, T x, T y, T reach_x, T reach_y,
                                 typename Bits<T>::Int* __restrict near) {
  using Int = typename Bits<T>::Int;
  Int count = 0;
  for (int64_t j = 0; j < n; ++j) {
    const T across = abs(c.x[j] - x) - (c.reach_x[j] + reach_x), along = abs(c.y[j] - y) - (c.reach_y[j] + reach_y);
    const Int touch = (across > 0 ? Int(0) : Int(1)) & (along > 0 ? Int(0) : Int(1));
    near[j] = touch | (across == across ? Int(0) : Int(1)) | (along == along ? Int(0) : Int(1));
    count += near[j];
  }
  return count;
}

// Boxes [begin, begin + n) of a set.
template <Real T> struct RotatedSetTile {
  alignas(64) RotatedColumns<T> boxes;
  int64_t n = 0;

  void load(const BoxSet& set, int64_t batch, int64_t begin, int64_t count, const AngleUnit<T>& unit) {
    n = count;
    alignas(64) Columns<T, 5> raw;
    dispatch_dtype<Accept::boxes>(set.dtype, [&]<class S>() {
      const S* first = static_cast<const S*>(set.data) + batch * set.batch_stride + begin * set.stride;
      gather_run<S, 5, T>(first, set.stride, set.inner, n, 0, raw);
    });
    for (int k = 0; k < 5; ++k) std::copy_n(raw[k], n, boxes[k]);
    if (counterclockwise(set.format)) turn_around(boxes[4], n);
    find_reach<T>(boxes, n, unit);
  }
  RotatedBox<T> at(int64_t j) const { return {boxes[0][j], boxes[1][j], boxes[2][j], boxes[3][j], boxes[4][j]}; }
  Reach<T> reach(int64_t j) const { return {boxes[5][j], boxes[6][j]}; }
  Surroundings<T> surroundings() const { return {boxes[0], boxes[1], boxes[5], boxes[6]}; }
};

// Pairs are gathered until there are enough for the stages to be worth while. Calls done(tile, n) when they have run;
// `tag` is what the caller remembers of each pair.
template <Real T, class Done> class RotatedBatch {
 public:
  RotatedBatch(const RotatedStages<T>& stages, const Done& done) : stages_(stages), done_(done) {
    std::fill_n(factor_, kTile<T>, T(1));
  }
  void add(const RotatedBox<T>& p, const RotatedBox<T>& g, int64_t tag) {
    put(tile_.p, p), put(tile_.g, g);
    tags_[n_++] = tag;
    if (n_ == kTile<T>) flush();
  }
  // One box as the first, or the second, with every box of a tile; tags count up from `tag`, `step` apart.
  template <bool kOneFirst>
  void add_run(const RotatedBox<T>& one, const RotatedSetTile<T>& tile, int64_t tag, int64_t step) {
    if (n_ + tile.n > kTile<T>) flush();
    const T same[5] = {one.x, one.y, one.w, one.h, one.angle};
    for (int k = 0; k < 5; ++k) {
      std::fill_n((kOneFirst ? tile_.p : tile_.g)[k] + n_, tile.n, same[k]);
      std::copy_n(tile.boxes[k], tile.n, (kOneFirst ? tile_.g : tile_.p)[k] + n_);
    }
    for (int64_t j = 0; j < tile.n; ++j) tags_[n_ + j] = tag + j * step;
    n_ += tile.n;
    if (n_ == kTile<T>) flush();
  }
  int64_t size() const { return n_; }
  void flush() {
    if (n_ == 0) return;
    stages_(tile_, n_, factor_);
    done_(tile_, tags_, n_);
    n_ = 0;
  }

 private:
  void put(Columns<T, 5>& c, const RotatedBox<T>& b) {
    c[0][n_] = b.x, c[1][n_] = b.y, c[2][n_] = b.w, c[3][n_] = b.h, c[4][n_] = b.angle;
  }

  RotatedTile<T> tile_;
  alignas(64) T factor_[kTile<T>];
  int64_t tags_[kTile<T>], n_ = 0;
  const RotatedStages<T>& stages_;
  const Done& done_;
};

// Which of the first n boxes of a tile have to be compared with one: those near it, or all.
template <Real T> class NearBoxes {
 public:
  explicit NearBoxes(bool all) : all_(all) {}

  // How many they are.
  int64_t count(const Surroundings<T>& boxes, int64_t n, const RotatedBox<T>& one, const Reach<T>& reach) {
    return all_ ? n : find_near<T>(boxes, n, one.x, one.y, reach.x, reach.y, near_);
  }
  // Calls f(j) for each.
  template <class F>
  void operator()(const Surroundings<T>& boxes, int64_t n, const RotatedBox<T>& one, const Reach<T>& reach,
                  const F& f) {
    if (count(boxes, n, one, reach) > 0) for_each(n, f);
  }
  // The same for those that have been counted.
  template <class F> void for_each(int64_t n, const F& f) const {
    for (int64_t j = 0; j < n; ++j)
      if (all_ || near_[j]) f(j);
  }

 private:
  const bool all_;
  alignas(64) typename Bits<T>::Int near_[kTile<T>];
};

// Whether boxes without a common point can be left out: they score exactly 0.
inline bool zero_if_disjoint(int64_t code) {
  bool zero = false;
  dispatch_rotated(code, [&]<class K, Enclosing>() { zero = kZeroIfDisjoint<K>; });
  return zero;
}

}  // namespace fastiou
