// Matrix NMS on the CPU, without a matrix: a tile of boxes in the lanes, all better boxes one after the other; first
// for the compensations, then for the decays.
#pragma once
#include "nms_cpu.h"

namespace fastiou {

template <bool kGaussian, Real T>
FASTIOU_CLONES void raise_pull(T* __restrict most, const T* __restrict row, int64_t n, T compensation) {
  for (int64_t j = 0; j < n; ++j)
    most[j] = max(MatrixDecay<T>::template pull<kGaussian>(row[j], compensation), most[j]);
}

// One class, by decreasing score.
template <Real T> struct MatrixSegment {
  const MatrixNmsArgs& a;
  const RowOverlap<T>& overlap;
  const BoxTiles<T> tiles;
  std::vector<T> compensation;  // the largest overlap of each box with a better one

  MatrixSegment(const MatrixNmsArgs& args, const RowOverlap<T>& o, const int64_t* order, int64_t n)
      : a(args), overlap(o), tiles(load_tiles<T>(args.in.boxes, order, n)), compensation(tiles.size() * kTile<T>) {}

  // A later tile has more better boxes, so tasks alternate between both ends: neighbours cost the same together.
  int64_t tile_of(int64_t task) const {
    return task % 2 == 0 ? task / 2 : static_cast<int64_t>(tiles.size()) - 1 - task / 2;
  }

  void compensate(int64_t task) {
    const int64_t t = tile_of(task);
    T* const most = compensation.data() + t * kTile<T>;
    over_better(t, [&](const T* row, int64_t n, int64_t) { raise(most, row, n); });
    for (int64_t j = 0; j < tiles[t].n; ++j) most[j] = share(most[j]);
  }
  void decay(int64_t task) const {
    const int64_t t = tile_of(task);
    const auto pull = a.gaussian ? raise_pull<true, T> : raise_pull<false, T>;
    alignas(64) T most[kTile<T>] = {};
    over_better(t, [&](const T* row, int64_t n, int64_t better) { pull(most, row, n, compensation[better]); });
    const MatrixDecay<T> decay(a);
    dispatch_dtype(a.out_dtype, [&]<class S>() {
      for (int64_t j = 0; j < tiles[t].n; ++j) {
        const int64_t i = tiles[t].index[j];
        static_cast<S*>(a.scores)[i] = static_cast<S>(decay.decayed(a.gaussian, a.in.score(i), most[j]));
      }
    });
  }

 private:
  // Calls update(row, n, box) for every box with its row of scores, on the lanes of tile t that are worse.
  template <class F> void over_better(int64_t t, const F& update) const {
    const BoxTile<T>& lanes = tiles[t];
    alignas(64) T row[kTile<T>];
    for (int64_t better = 0; better <= t; ++better) {
      const BoxTile<T>& ones = tiles[better];
      for (int64_t i = 0; i < ones.n; ++i) {
        overlap(ones, i, lanes, row);
        if (better == t) std::fill_n(row, i + 1, T(0));  // no overlap: neither number rises
        update(row, padded(lanes.n), better * kTile<T> + i);
      }
    }
  }
};

template <Real T, class Parallel>
bool matrix_nms_cpu(const MatrixNmsArgs& a, const RowOverlap<T>& overlap, const Parallel& parallel) {
  if (!overlap.ok()) return false;
  std::vector<Keyed> ranked = candidates(a.in);
  sort_by_key(ranked);
  const Segments segments(a.in, std::move(ranked));
  dispatch_dtype(a.out_dtype, [&]<class S>() { std::fill_n(static_cast<S*>(a.scores), a.in.boxes.count, S(0)); });
  for_segments(segments, parallel, [&](int64_t s, const auto& inner) {
    MatrixSegment<T> segment(a, overlap, segments.of(s), segments.size(s));
    const int64_t count = static_cast<int64_t>(segment.tiles.size()), pairs = segments.size(s) * segments.size(s) / 2;
    share_out(pairs, count, inner, [&](int64_t task) { segment.compensate(task); });
    share_out(pairs, count, inner, [&](int64_t task) { segment.decay(task); });
  });
  return true;
}

}  // namespace fastiou
