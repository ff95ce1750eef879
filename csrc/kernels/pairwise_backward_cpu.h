// The gradient of pairwise scores on the CPU, recomputed: own boxes lie in the lanes, the others are added up one after
// the other. No atomics; sums are in double and in an order that depends on the sizes alone.
#pragma once
#include "box_set_cpu.h"
#include "pairwise.h"

namespace fastiou {

// So many terms are added in the compute dtype before they go to the sum in double.
constexpr int64_t kChunk = 32;

// Adds grad[j] * d score / d own[j] to sum, for all lanes of plain boxes.
template <class Kind, bool kOwnFirst, Real T>
FASTIOU_CLONES void add_plain_lanes(const Columns<T, 4>& own, int64_t n, const Box<T>& other, const Eps<T>& e,
                                    const T* __restrict grad, Columns<T, 4>& sum) {
  const Box<T> one = other;
  const Eps<T> eps = e;
  for (int64_t j = 0; j < n; ++j) {
    const Box<T> lane = box_at<T>(own, j);
    Box<T> d;
    if constexpr (kOwnFirst) d = evaluate<ScoreOf<Kind>, Grad::pred>(lane, one, eps, grad[j]).pred;
    else d = evaluate<ScoreOf<Kind>, Grad::both>(one, lane, eps, grad[j]).target;
    sum[0][j] += d.x1, sum[1][j] += d.y1, sum[2][j] += d.x2, sum[3][j] += d.y2;
  }
}

// The same for one pair of any boxes, settled, partial derivatives no larger than `largest`.
template <class Kind, bool kOwnFirst, Real T>
void add_odd_pair(const Box<T>& own, const Box<T>& other, const Eps<T>& eps, T grad, T largest, double (&sum)[4]) {
  const PairGradients<T> r = kOwnFirst ? evaluate_any<Kind, Grad::pred>(own, other, eps, T(1))
                                       : evaluate_any<Kind, Grad::both>(other, own, eps, T(1));
  add_settled(sum, finish(Format::xyxy, largest, kOwnFirst ? r.pred : r.target), grad);
}

template <Real T> struct LaneGradient {
  void (*plain)(const Columns<T, 4>&, int64_t, const Box<T>&, const Eps<T>&, const T*, Columns<T, 4>&) = nullptr;
  void (*odd)(const Box<T>&, const Box<T>&, const Eps<T>&, T, T, double (&)[4]) = nullptr;
};
template <Real T> LaneGradient<T> lane_gradient(int64_t kind, bool own_first) {
  LaneGradient<T> g;
  dispatch_score(kind, [&]<class K>() {
    g.plain = own_first ? add_plain_lanes<K, true, T> : add_plain_lanes<K, false, T>;
    g.odd = own_first ? add_odd_pair<K, true, T> : add_odd_pair<K, false, T>;
  });
  return g;
}

// The incoming gradient of a chunk of other boxes, by other and own box.
template <Real T> using GradChunk = T[kChunk][kTile<T>];

template <Real T> FASTIOU_CLONES void raise_to(const GradChunk<T>& grad, int64_t m, int64_t n, T* __restrict largest) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) largest[j] = max(abs(grad[i][j]), largest[j]);
}

template <Real T>
FASTIOU_CLONES void add_columns(const Columns<T, 4>& from, int64_t n, double (*__restrict to)[kTile<T>]) {
  for (int k = 0; k < 4; ++k)
    for (int64_t j = 0; j < n; ++j) to[k][j] += from[k][j];
}

template <Real T> struct PairwiseBackwardTasks {
  const PairwiseBackwardArgs& a;
  const LaneGradient<T> add;
  const int64_t tiles, slice;

  PairwiseBackwardTasks(const PairwiseBackwardArgs& args, int64_t kind)
      : a(args),
        add(lane_gradient<T>(kind, a.own_first)),
        tiles((a.own.count + kTile<T> - 1) / kTile<T>),
        slice((a.other.count + a.slices - 1) / a.slices) {}

  bool ok() const { return add.plain != nullptr; }
  int64_t count() const { return a.slices * a.batch * tiles; }

  // The sum over one slice of the other boxes, for one tile of own boxes.
  void operator()(int64_t task) const {
    Work w;
    w.batch = task / tiles % a.batch, w.begin = task % tiles * kTile<T>;
    const int64_t part = task / tiles / a.batch;
    w.first = std::min(part * slice, a.other.count), w.last = std::min(w.first + slice, a.other.count);
    w.own.load(a.own, w.batch, w.begin, std::min<int64_t>(kTile<T>, a.own.count - w.begin));
    add_all(w);
    // Again, with care, for boxes that are not plain, and where sums are beyond the boxes' dtype or of no value at all.
    bool again[kTile<T>] = {};
    bool any = w.own.odds > 0;
    for (int64_t k = 0; k < w.own.odds; ++k) again[w.own.odd[k]] = true;
    for (int64_t j = 0; j < w.own.n; ++j) {
      const double sum[4] = {w.sum[0][j], w.sum[1][j], w.sum[2][j], w.sum[3][j]};
      again[j] |= !is_trusted(sum, a.own.dtype, w.largest_grad[j]);
      any |= again[j];
    }
    if (any) add_again(w, again);
    double* const to = a.partial + ((part * a.batch + w.batch) * a.own.count + w.begin) * kPartials;
    for (int64_t j = 0; j < w.own.n; ++j) {
      for (int k = 0; k < 4; ++k) to[kPartials * j + k] = w.sum[k][j];
      to[kPartials * j + kLargestGrad] = w.largest_grad[j];
    }
  }

  // After all tasks, tasks of their own: slices are added up and encoded.
  static constexpr int64_t kFinishRows = 4096;
  int64_t finish_count() const { return (a.batch * a.own.count + kFinishRows - 1) / kFinishRows; }
  void finish(int64_t task) const {
    const int64_t end = std::min(a.batch * a.own.count, (task + 1) * kFinishRows);
    for (int64_t i = task * kFinishRows; i < end; ++i) finish_box<T>(a, i);
  }

 private:
  // A tile of own boxes, others [first, last), and what has been added up.
  struct Work {
    int64_t batch, begin, first, last;
    SetTile<T> own, other;
    alignas(64) double sum[4][kTile<T>] = {};
    alignas(64) T largest_grad[kTile<T>];
    alignas(64) GradChunk<T> grad;
    alignas(64) Columns<T, 4> terms;
  };

  // Calls f(i, m, at) for every chunk: others i to i + m - 1 of w.other, which begins with box `at`; w.grad is theirs.
  template <class F> void for_each_chunk(Work& w, F&& f) const {
    for (int64_t at = w.first; at < w.last; at += kTile<T>) {
      w.other.load(a.other, w.batch, at, std::min<int64_t>(kTile<T>, w.last - at));
      for (int64_t i = 0; i < w.other.n; i += kChunk) {
        const int64_t m = std::min(kChunk, w.other.n - i);
        load_gradient(w, at + i, m);
        f(i, m, at);
      }
    }
  }

  void add_all(Work& w) const {
    const Eps<T> eps = eps_of<T>(a.eps);
    const int64_t n = padded(w.own.n);
    std::fill_n(w.largest_grad, n, T(1));
    for_each_chunk(w, [&](int64_t first, int64_t m, int64_t at) {
      for (auto& column : w.terms) std::fill_n(column, n, T(0));
      raise_to<T>(w.grad, m, n, w.largest_grad);
      for (int64_t i = first; i < first + m; ++i) {
        if (!a.other.has(w.batch, at + i)) continue;
        const Box<T> other = w.other.at(i);
        if (is_plain(other)) add.plain(w.own.corners, n, other, eps, w.grad[i - first], w.terms);
        else
          for (int64_t j = 0; j < w.own.n; ++j) add_pair(w, j, other, eps, w.grad[i - first][j]);
      }
      add_columns<T>(w.terms, n, w.sum);
    });
  }

  void add_again(Work& w, const bool* again) const {
    const Eps<T> eps = eps_of<T>(a.eps);
    for (int64_t j = 0; j < w.own.n; ++j)
      if (again[j])
        for (int k = 0; k < 4; ++k) w.sum[k][j] = 0;
    for_each_chunk(w, [&](int64_t first, int64_t m, int64_t at) {
      for (int64_t i = first; i < first + m; ++i)
        for (int64_t j = 0; j < w.own.n && a.other.has(w.batch, at + i); ++j)
          if (again[j]) add_pair(w, j, w.other.at(i), eps, w.grad[i - first][j]);
    });
  }

  // A pair without a gradient is not looked at, so that masked boxes may be anything.
  void add_pair(Work& w, int64_t j, const Box<T>& other, const Eps<T>& eps, T grad) const {
    if (grad == 0) return;
    double sum[4] = {w.sum[0][j], w.sum[1][j], w.sum[2][j], w.sum[3][j]};
    add.odd(w.own.at(j), other, eps, grad, largest_of<T>(a.own.dtype), sum);
    for (int k = 0; k < 4; ++k) w.sum[k][j] = sum[k];
  }

  // The incoming gradient of m other boxes; 0 where there is no own box.
  void load_gradient(Work& w, int64_t other, int64_t m) const {
    const int64_t n = w.own.n;
    const T* const from = static_cast<const T*>(a.grad) + w.batch * a.grad_batch_stride + w.begin * a.grad_own_stride +
                          other * a.grad_other_stride;
    if (a.grad_own_stride == 1) {
      for (int64_t i = 0; i < m; ++i) std::copy_n(from + i * a.grad_other_stride, n, w.grad[i]);
    } else {  // along the rows of a matrix that is to be transposed
      for (int64_t j = 0; j < n; ++j)
        for (int64_t i = 0; i < m; ++i) w.grad[i][j] = from[j * a.grad_own_stride + i * a.grad_other_stride];
    }
    for (int64_t i = 0; i < m; ++i) {
      std::fill(w.grad[i] + n, w.grad[i] + padded(n), T(0));
      if (a.own.mask)
        for (int64_t j = 0; j < n; ++j) w.grad[i][j] = a.own.has(w.batch, w.begin + j) ? w.grad[i][j] : T(0);
    }
  }
};

}  // namespace fastiou
