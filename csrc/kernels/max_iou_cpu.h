// Matching on the CPU: tiles of boxes lie in the lanes, the gts pass by one after the other. Nothing is as large as the
// matrix: a chunk of tiles keeps the best box of every gt, and the chunks are merged in order.
#pragma once
#include <vector>

#include "box_set_cpu.h"
#include "max_iou.h"

namespace fastiou {

template <Real T> using LaneIndex = typename Bits<T>::Int;  // as wide as the scores, for the vectors' sake

// What has been found for each box of a tile.
template <Real T> struct Matches {
  alignas(64) T best[kTile<T>], scores[kTile<T>];
  alignas(64) LaneIndex<T> index[kTile<T>];
  Presence presence[kTile<T>];

  // Of n boxes the first one that is there, n if there is none.
  int64_t first(int64_t n) const {
    return std::find_if(presence, presence + n, [](Presence p) { return p != Presence::absent; }) - presence;
  }
};

// A tile of boxes, and what has been found for them.
template <Real T> struct MatchTile : Matches<T> {
  using Matches<T>::presence;

  SetTile<T> tile;                  // size 0 where a box is odd or absent
  alignas(64) T aside[kTile<T>];    // 0, or -infinity there
  alignas(64) T angle[kTile<T>];    // of a plain box
  Box<T> odd_box[kTile<T>];         // in the order of tile.odd, which keeps those that are there
  Box<T> hull;                      // around all that are there

  int64_t size() const { return tile.n; }
  int64_t first() const { return Matches<T>::first(size()); }
  bool disjoint(const Box<T>& gt) const { return fastiou::disjoint(hull, gt); }

  void load(const BoxSet& set, int64_t batch, int64_t begin, int64_t n) {
    constexpr T inf = kInfinity<T>;
    tile.load(set, batch, begin, n);
    std::fill_n(aside, n, T(0));
    std::fill(aside + n, aside + padded(n), -inf);
    std::fill_n(presence, n, Presence::plain);
    const auto put_aside = [&](int64_t j, Presence p) {
      presence[j] = p;
      aside[j] = -inf;
      set_box<T>(tile.corners, j, Box<T>{0, 0, 0, 0});
    };
    for (int64_t j = 0; j < n && set.mask; ++j)
      if (!set.has(batch, begin + j)) put_aside(j, Presence::absent);
    int64_t odds = 0;
    for (int64_t k = 0; k < tile.odds; ++k) {
      const int64_t j = tile.odd[k];
      const Box<T> b = tile.at(j);
      const Presence p = fastiou::presence(set, batch, begin + j, b);
      put_aside(j, p);
      if (p == Presence::odd) odd_box[odds] = b, tile.odd[odds++] = j;
    }
    tile.odds = odds;
    find_angles<T>(tile.corners, 0, padded(n), angle);
    hull = {inf, inf, -inf, -inf};
    for (int64_t j = 0; j < n; ++j)
      if (presence[j] == Presence::plain) surround(tile.at(j));
    for (int64_t k = 0; k < odds; ++k) surround(odd_box[k]);
  }

  void surround(const Box<T>& b) {  // an inverted box, too, lies within its corners
    hull = {min(hull.x1, min(b.x1, b.x2)), min(hull.y1, min(b.y1, b.y2)), max(hull.x2, max(b.x1, b.x2)),
            max(hull.y2, max(b.y1, b.y2))};
  }
};

// The scores of the plain boxes of a tile with one gt; updates the best of every lane, and tells whether one of them
// exceeds `gt_best`.
template <class Kind, Real T>
FASTIOU_CLONES bool match_plain(MatchTile<T>& t, const Box<T>& gt, LaneIndex<T> k, const Eps<T>& e, T gt_best) {
  const auto one = prepared<Kind>(gt);
  const Eps<T> eps = e;
  const int64_t n = padded(t.size());
  LaneIndex<T> exceeds = 0;
  for (int64_t j = 0; j < n; ++j) {
    const T s = plain_score<Kind>(prepared<Kind>(box_at<T>(t.tile.corners, j), t.angle[j]), one, eps) + t.aside[j];
    const LaneIndex<T> better = s > t.best[j] ? -1 : 0;  // a mask, because a choice of what to store becomes a branch
    t.index[j] = (k & better) | (t.index[j] & ~better);
    t.best[j] = max(s, t.best[j]);
    t.scores[j] = s;
    exceeds |= s > gt_best ? 1 : 0;
  }
  return exceeds != 0;
}

// The first of the largest scores of a tile.
template <Real T> FASTIOU_CLONES int64_t argmax(const T* scores, int64_t n) {
  T top[kLanes];
  std::copy_n(scores, kLanes, top);
  for (int64_t j = kLanes; j < n; j += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) top[lane] = max(top[lane], scores[j + lane]);
  return std::find(scores, scores + n, *std::max_element(top, top + kLanes)) - scores;
}

// Plain lanes that score exactly `value` with one gt take its index.
template <class Kind, Real T>
FASTIOU_CLONES void tie_plain(MatchTile<T>& t, const Box<T>& gt, LaneIndex<T> k, const Eps<T>& e, T value) {
  const auto one = prepared<Kind>(gt);
  const Eps<T> eps = e;
  const int64_t n = padded(t.size());
  for (int64_t j = 0; j < n; ++j) {
    const T s = plain_score<Kind>(prepared<Kind>(box_at<T>(t.tile.corners, j), t.angle[j]), one, eps) + t.aside[j];
    const LaneIndex<T> ties = s == value ? -1 : 0;
    t.index[j] = (k & ties) | (t.index[j] & ~ties);
  }
}

// The loops of a kind over plain boxes, and the score of others; null if there is no such kind.
template <Real T> struct Matcher {
  using Tile = MatchTile<T>;
  using Gt = Box<T>;

  bool (*plain)(MatchTile<T>&, const Box<T>&, LaneIndex<T>, const Eps<T>&, T) = nullptr;
  void (*tie)(MatchTile<T>&, const Box<T>&, LaneIndex<T>, const Eps<T>&, T) = nullptr;
  T (*odd)(const Box<T>&, const Box<T>&, const Eps<T>&) = nullptr;
  bool zero_if_disjoint = false;

  bool ok() const { return plain != nullptr; }

  static void load(Tile& t, const BoxSet& set, int64_t batch, int64_t begin, int64_t n) {
    t.load(set, batch, begin, n);
  }
  // The gts of one batch entry.
  std::vector<Box<T>> load(const BoxSet& set, int64_t batch) const {
    std::vector<Box<T>> boxes(set.count);
    SetTile<T> tile;
    for (int64_t begin = 0; begin < set.count; begin += kTile<T>) {
      tile.load(set, batch, begin, std::min<int64_t>(kTile<T>, set.count - begin));
      for (int64_t j = 0; j < tile.n; ++j) boxes[begin + j] = tile.at(j);
    }
    return boxes;
  }

  // match_plain() for the boxes that it is for, one by one for the others.
  bool match(MatchTile<T>& t, const Box<T>& gt, Presence p, LaneIndex<T> k, const Eps<T>& eps, T gt_best) const {
    bool exceeds = false;
    const auto one = [&](const Box<T>& b, int64_t j) {
      const T s = odd(b, gt, eps);
      t.scores[j] = s;
      if (s > t.best[j]) t.best[j] = s, t.index[j] = k;
      exceeds |= s > gt_best;
    };
    if (p == Presence::plain) {
      exceeds = plain(t, gt, k, eps, gt_best);
    } else {
      std::copy_n(t.aside, padded(t.size()), t.scores);
      for (int64_t j = 0; j < t.size(); ++j)
        if (t.presence[j] == Presence::plain) one(t.tile.at(j), j);
    }
    for (int64_t i = 0; i < t.tile.odds; ++i) one(t.odd_box[i], t.tile.odd[i]);
    return exceeds;
  }

  // The same for tie_plain().
  void match_ties(MatchTile<T>& t, const Box<T>& gt, Presence p, LaneIndex<T> k, const Eps<T>& eps, T value) const {
    if (p == Presence::plain) tie(t, gt, k, eps, value);
    else
      for (int64_t j = 0; j < t.size(); ++j)
        if (t.presence[j] == Presence::plain && odd(t.tile.at(j), gt, eps) == value) t.index[j] = k;
    for (int64_t i = 0; i < t.tile.odds; ++i)
      if (odd(t.odd_box[i], gt, eps) == value) t.index[t.tile.odd[i]] = k;
  }
};
template <Real T> Matcher<T> matcher(int64_t kind) {
  Matcher<T> m;
  dispatch_score(kind, [&]<class K>() {
    m = {match_plain<K, T>, tie_plain<K, T>, score_odd<K, true, T>, kZeroIfDisjoint<K>};
  });
  return m;
}

// The gts of one batch entry, decoded.
template <class Matcher> struct Gts {
  std::vector<typename Matcher::Gt> boxes;
  std::vector<Presence> presence;

  Gts(const Matcher& match, const BoxSet& set, int64_t batch) : boxes(match.load(set, batch)), presence(set.count) {
    for (int64_t k = 0; k < set.count; ++k) presence[k] = fastiou::presence(set, batch, k, boxes[k]);
  }
  int64_t first() const {  // the first one that is there, -1 if there is none
    const auto it = std::find_if(presence.begin(), presence.end(), [](Presence p) { return p != Presence::absent; });
    return it == presence.end() ? -1 : it - presence.begin();
  }
};

// Boxes per task: enough to be worth a task, few enough for many tasks, but never more than so many chunks.
constexpr int64_t kChunkBoxes = 4096, kMostChunks = 64;

template <Real T, class Match = Matcher<T>> struct MaxIoUTasks {
  const MaxIoUArgs& a;
  const Match match;
  const int64_t chunks, chunk;  // how many, and how many boxes in each
  // The best box of every gt, by batch and chunk. Not in the result, because chunks run at the same time.
  mutable std::vector<T> values;
  mutable std::vector<int64_t> indices;

  MaxIoUTasks(const MaxIoUArgs& args, const Match& m)
      : a(args),
        match(m),
        chunks(std::clamp<int64_t>((a.boxes.count + kChunkBoxes - 1) / kChunkBoxes, 1, kMostChunks)),
        chunk((a.boxes.count + chunks * kTile<T> - 1) / (chunks * kTile<T>) * kTile<T>),
        values(a.batch * chunks * a.gts.count),
        indices(values.size()) {}

  bool ok() const { return match.ok(); }
  int64_t count() const { return a.batch * chunks; }

  void operator()(int64_t task) const {
    const int64_t batch = task / chunks, begin = task % chunks * chunk;
    const int64_t end = std::min(a.boxes.count, begin + chunk);
    const Gts<Match> gts(match, a.gts, batch);
    const int64_t first_gt = gts.first();
    // Where no pair scores less than 0, boxes apart from all others match the first one, with 0.
    const T least = match.zero_if_disjoint ? T(0) : -kInfinity<T>;
    T* const gt_best = values.data() + task * a.gts.count;
    int64_t* const gt_index = indices.data() + task * a.gts.count;
    std::fill_n(gt_best, a.gts.count, least);
    std::fill_n(gt_index, a.gts.count, -1);
    typename Match::Tile t;
    for (int64_t at = begin; at < end; at += kTile<T>) {
      match.load(t, a.boxes, batch, at, std::min<int64_t>(kTile<T>, end - at));
      std::fill_n(t.best, kTile<T>, least);
      std::fill_n(t.index, kTile<T>, static_cast<LaneIndex<T>>(match.zero_if_disjoint ? first_gt : -1));
      if (t.first() < t.size()) meet(t, gts, at, gt_best, gt_index);
      store(t, batch, at);
    }
  }

  // After all tasks.
  void merge() const {
    for (int64_t batch = 0; batch < a.batch; ++batch)
      for (int64_t k = 0; k < a.gts.count; ++k) {
        T value = 0;
        int64_t index = -1;
        for (int64_t c = 0; c < chunks; ++c) {
          const int64_t i = (batch * chunks + c) * a.gts.count + k;
          if (indices[i] >= 0 && (index < 0 || values[i] > value)) value = values[i], index = indices[i];
        }
        static_cast<T*>(a.gt_values)[batch * a.gts.count + k] = value;
        a.gt_indices[batch * a.gts.count + k] = index;
      }
  }

 private:
  void meet(typename Match::Tile& t, const Gts<Match>& gts, int64_t at, T* gt_best, int64_t* gt_index) const {
    const Eps<T> eps = eps_of<T>(a.eps);
    for (int64_t k = 0; k < a.gts.count; ++k) {
      const Presence p = gts.presence[k];
      if (p == Presence::absent) continue;
      if (match.zero_if_disjoint && gt_index[k] < 0) gt_index[k] = at + t.first();
      if (match.zero_if_disjoint && p == Presence::plain && t.disjoint(gts.boxes[k])) continue;
      if (!match.match(t, gts.boxes[k], p, static_cast<LaneIndex<T>>(k), eps, gt_best[k])) continue;
      const int64_t top = argmax<T>(t.scores, padded(t.size()));  // rare after a few tiles
      gt_best[k] = t.scores[top];
      gt_index[k] = at + top;
    }
  }

  void store(const typename Match::Tile& t, int64_t batch, int64_t at) const {
    T* const value = static_cast<T*>(a.values) + batch * a.boxes.count + at;
    int64_t* const index = a.indices + batch * a.boxes.count + at;
    for (int64_t j = 0; j < t.size(); ++j) {
      const bool found = t.presence[j] != Presence::absent && t.index[j] >= 0;
      value[j] = found ? t.best[j] : T(0);
      index[j] = found ? t.index[j] : -1;
    }
  }
};

template <Real T, class Match = Matcher<T>> struct TiedGtsTasks {
  const TiedGtsArgs& a;
  const Match match;
  const int64_t chunks;

  TiedGtsTasks(const TiedGtsArgs& args, const Match& m)
      : a(args), match(m), chunks((a.boxes.count + kChunkBoxes - 1) / kChunkBoxes) {}

  bool ok() const { return match.ok(); }
  int64_t count() const { return a.batch * chunks; }

  void operator()(int64_t task) const {
    const int64_t batch = task / chunks, begin = task % chunks * kChunkBoxes;
    const int64_t end = std::min(a.boxes.count, begin + kChunkBoxes);
    const Gts<Match> gts(match, a.gts, batch);
    const T* const gt_values = static_cast<const T*>(a.gt_values) + batch * a.gts.count;
    const Eps<T> eps = eps_of<T>(a.eps);
    typename Match::Tile t;
    for (int64_t at = begin; at < end; at += kTile<T>) {
      match.load(t, a.boxes, batch, at, std::min<int64_t>(kTile<T>, end - at));
      std::fill_n(t.index, kTile<T>, LaneIndex<T>(-1));
      for (int64_t k = 0; k < a.gts.count; ++k) {
        const Presence p = gts.presence[k];
        const T value = gt_values[k];
        if (p == Presence::absent || !(value >= a.least)) continue;
        if (match.zero_if_disjoint && value > 0 && p == Presence::plain && t.disjoint(gts.boxes[k])) continue;
        match.match_ties(t, gts.boxes[k], p, static_cast<LaneIndex<T>>(k), eps, value);
      }
      std::copy_n(t.index, t.size(), a.indices + batch * a.boxes.count + at);
    }
  }
};

}  // namespace fastiou
