// Soft suppression on the CPU: the best box is selected, all others of its class decay by their overlap with it, and so
// on.
#pragma once
#include "nms_cpu.h"

namespace fastiou {

// Boxes that are selected, or have decayed below the threshold, have this score: no factor brings it back.
template <Real T> constexpr T kGone = -std::numeric_limits<T>::infinity();

// Scores of a tile times their factors; returns the best one left.
template <bool kGaussian, Real T>
FASTIOU_CLONES T decay_scores(T* __restrict scores, const T* __restrict overlap, int64_t n, const SoftDecay<T>& d,
                              T least) {
  const SoftDecay<T> decay = d;
  for (int64_t j = 0; j < n; ++j) {
    const T x = scores[j] * decay.template factor<kGaussian>(overlap[j]);
    scores[j] = x >= least ? x : kGone<T>;
  }
  T best[kLanes];  // a maximum for every lane, because a single one would not vectorise
  for (int l = 0; l < kLanes; ++l) best[l] = kGone<T>;
  for (int64_t j = 0; j < n; j += kLanes)
    for (int l = 0; l < kLanes; ++l) best[l] = max(scores[j + l], best[l]);
  for (int l = 1; l < kLanes; ++l) best[0] = max(best[l], best[0]);
  return best[0];
}

// One class. Its boxes are in input order, so that the first of equal scores is the one selected.
template <Real T> class SoftSegment {
 public:
  SoftSegment(const SoftNmsArgs& args, const RowOverlap<T>& overlap, const int64_t* order, int64_t n)
      : a_(args), decay_(args), overlap_(overlap), tiles_(load_tiles<T>(args.in.boxes, order, n)),
        states_(tiles_.size()) {
    for (size_t t = 0; t < tiles_.size(); ++t) {
      std::fill_n(states_[t].scores, kTile<T>, kGone<T>);
      for (int64_t j = 0; j < tiles_[t].n; ++j) {
        const T x = static_cast<T>(a_.in.score(tiles_[t].index[j]));
        states_[t].scores[j] = x;
        states_[t].best = max(x, states_[t].best);
      }
    }
    alive_ = n;
  }

  // The score at which each box is selected, by index.
  void run(double* selected) {
    const T least = ceil_to<T>(a_.score_threshold);
    const auto decay = a_.gaussian ? decay_scores<true, T> : decay_scores<false, T>;
    alignas(64) T row[kTile<T>];
    for (int64_t since_packed = 0;; ++since_packed) {
      size_t best = 0;
      for (size_t t = 1; t < tiles_.size(); ++t)
        if (states_[t].best > states_[best].best) best = t;
      if (tiles_.empty() || states_[best].best == kGone<T>) return;
      const int64_t i = std::find(states_[best].scores, states_[best].scores + tiles_[best].n, states_[best].best) -
                        states_[best].scores;
      selected[tiles_[best].index[i]] = static_cast<double>(states_[best].best);
      states_[best].scores[i] = kGone<T>;
      for (size_t t = 0; t < tiles_.size(); ++t) {
        if (states_[t].best == kGone<T>) continue;
        overlap_(tiles_[best], i, tiles_[t], row);
        // Lanes of padding have no overlap and no score.
        states_[t].best = decay(states_[t].scores, row, padded(tiles_[t].n), decay_, least);
      }
      if (since_packed >= alive_ / 4 + 8) pack(), since_packed = 0;
    }
  }

 private:
  struct State {
    alignas(64) T scores[kTile<T>];
    T best = kGone<T>;
  };

  // Without the boxes that are gone.
  void pack() {
    size_t to = 0;
    int64_t at = 0;
    alive_ = 0;
    for (size_t from = 0; from < tiles_.size(); ++from) {
      const int64_t n = tiles_[from].n;
      for (int64_t j = 0; j < n; ++j) {
        const T x = states_[from].scores[j];
        if (x == kGone<T>) continue;
        if (at == kTile<T>) close(to++, at), at = 0;
        tiles_[to].copy(at, tiles_[from], j);
        states_[to].scores[at++] = x;
        ++alive_;
      }
    }
    if (to < tiles_.size()) close(to, at);
    tiles_.resize(at > 0 ? to + 1 : to);
  }
  void close(size_t t, int64_t n) {
    tiles_[t].n = n;
    tiles_[t].finish();
    std::fill(states_[t].scores + n, states_[t].scores + kTile<T>, kGone<T>);
    states_[t].best = kGone<T>;
    for (int64_t j = 0; j < n; ++j) states_[t].best = max(states_[t].scores[j], states_[t].best);
  }

  const SoftNmsArgs& a_;
  const SoftDecay<T> decay_;
  const RowOverlap<T>& overlap_;
  BoxTiles<T> tiles_;
  std::vector<State> states_;
  int64_t alive_;
};

template <Real T, class Parallel>
bool soft_nms_cpu(const SoftNmsArgs& a, const RowOverlap<T>& overlap, const Parallel& parallel) {
  if (!overlap.ok()) return false;
  const int64_t n = a.in.boxes.count;
  const Segments segments(a.in, candidates(a.in, a.score_threshold));
  std::vector<double> scores(n, -1);  // of boxes that are never selected; selected ones are >= 0
  for_segments(segments, parallel, [&](int64_t s, const auto&) {
    SoftSegment<T>(a, overlap, segments.of(s), segments.size(s)).run(scores.data());
  });
  // A class selects its boxes by decreasing score, so all classes together do.
  std::vector<Keyed> selected;
  for (int64_t i = 0; i < n; ++i)
    if (scores[i] >= 0) selected.push_back({descending_key(scores[i]), i});
  sort_by_key(selected);
  const int64_t kept = *a.kept_count = static_cast<int64_t>(selected.size());
  for (int64_t k = 0; k < n; ++k) a.selected[k] = k < kept ? selected[k].index : -1;
  dispatch_dtype(a.out_dtype, [&]<class S>() {
    for (int64_t k = 0; k < n; ++k)
      static_cast<S*>(a.scores)[k] = static_cast<S>(k < kept ? scores[selected[k].index] : 0);
  });
  return true;
}

}  // namespace fastiou
