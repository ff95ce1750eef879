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

// The same for any boxes: partial derivatives saturate at `largest`. A pair without a gradient is not looked at, so that
// masked boxes may be anything.
template <class Kind, bool kOwnFirst, Real T>
void add_any_lanes(const Columns<T, 4>& own, int64_t n, const Box<T>& one, const Eps<T>& eps, const T* grad, T largest,
                   Columns<T, 4>& sum) {
  for (int64_t j = 0; j < n; ++j) {
    if (grad[j] == 0) continue;
    const Box<T> lane = box_at<T>(own, j);
    const PairGradients<T> r = kOwnFirst ? evaluate_any<Kind, Grad::pred>(lane, one, eps, T(1))
                                         : evaluate_any<Kind, Grad::both>(one, lane, eps, T(1));
    const Box<T> d = fastiou::finish(Format::xyxy, largest, kOwnFirst ? r.pred : r.target);
    sum[0][j] += grad[j] * d.x1, sum[1][j] += grad[j] * d.y1, sum[2][j] += grad[j] * d.x2, sum[3][j] += grad[j] * d.y2;
  }
}

template <Real T> struct LaneGradient {
  void (*plain)(const Columns<T, 4>&, int64_t, const Box<T>&, const Eps<T>&, const T*, Columns<T, 4>&) = nullptr;
  void (*any)(const Columns<T, 4>&, int64_t, const Box<T>&, const Eps<T>&, const T*, T, Columns<T, 4>&) = nullptr;
};
template <Real T> LaneGradient<T> lane_gradient(int64_t kind, bool own_first) {
  LaneGradient<T> g;
  dispatch_score(kind, [&]<class K>() {
    g.plain = own_first ? add_plain_lanes<K, true, T> : add_plain_lanes<K, false, T>;
    g.any = own_first ? add_any_lanes<K, true, T> : add_any_lanes<K, false, T>;
  });
  return g;
}

template <Real T> FASTIOU_CLONES void add_columns(const Columns<T, 4>& from, int64_t n, Columns<double, 4> (&to)[2]) {
  constexpr int64_t half = kTile<double>;  // a tile of floats is two tiles of doubles
  for (int k = 0; k < 4; ++k) {
    for (int64_t j = 0; j < std::min(n, half); ++j) to[0][k][j] += from[k][j];
    for (int64_t j = half; j < n; ++j) to[1][k][j - half] += from[k][j];
  }
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
    const int64_t begin = task % tiles * kTile<T>, batch = task / tiles % a.batch, part = task / tiles / a.batch;
    const int64_t n = std::min<int64_t>(kTile<T>, a.own.count - begin);
    alignas(64) Columns<T, 4> own, other;
    alignas(64) Columns<double, 4> sum[2];
    T largest_grad[kTile<T>];
    const bool own_plain = load_tile<T>(a.own, batch, begin, n, own);
    for (bool careful = false;; careful = true) {
      for (auto& half : sum)
        for (auto& column : half) std::fill_n(column, kTile<double>, 0.0);
      std::fill_n(largest_grad, n, T(1));
      const int64_t end = std::min(a.other.count, (part + 1) * slice);
      for (int64_t at = part * slice; at < end; at += kTile<T>) {
        const int64_t m = std::min<int64_t>(kTile<T>, end - at);
        const bool plain = load_tile<T>(a.other, batch, at, m, other) && own_plain && !careful;
        for (int64_t i = 0; i < m; i += kChunk)
          add_chunk(batch, begin, n, at, i, std::min(i + kChunk, m), own, other, plain, sum, largest_grad);
      }
      // Sums beyond the largest number of the boxes' dtype, or of no value at all, are made again of settled partials.
      if (within(sum, n)) break;
      if (!careful) continue;
      saturate(sum, n, largest_grad);
      break;
    }
    store(sum, n, batch, begin, part);
  }

  // After all tasks, tasks of their own: slices are added up and encoded.
  static constexpr int64_t kFinishRows = 4096;
  int64_t finish_count() const { return (a.batch * a.own.count + kFinishRows - 1) / kFinishRows; }
  void finish(int64_t task) const {
    T* const out = static_cast<T*>(a.out);
    const int64_t rows = a.batch * a.own.count;
    for (int64_t i = task * kFinishRows; i < std::min(rows, (task + 1) * kFinishRows); ++i) {
      T x[4];
      for (int k = 0; k < 4; ++k) {
        double s = 0;
        for (int64_t part = 0; part < a.slices; ++part) s += a.partial[(part * rows + i) * 4 + k];
        x[k] = static_cast<T>(s);
      }
      encode_gradient(a.own.format, x[0], x[1], x[2], x[3]);
      for (int k = 0; k < 4; ++k) out[4 * i + k] = x[k];
    }
  }

 private:
  T largest() const { return largest_of<T>(a.own.dtype) / 2; }

  void add_chunk(int64_t batch, int64_t begin, int64_t n, int64_t at, int64_t first, int64_t last,
                 const Columns<T, 4>& own, const Columns<T, 4>& other, bool plain, Columns<double, 4> (&sum)[2],
                 T* largest_grad) const {
    alignas(64) T grad[kChunk][kTile<T>];
    alignas(64) Columns<T, 4> terms;
    load_gradient(batch, begin, n, at + first, last - first, grad);
    for (auto& column : terms) std::fill_n(column, padded(n), T(0));
    const Eps<T> eps = eps_of<T>(a.eps);
    for (int64_t i = first; i < last; ++i) {
      if (!a.other.has(batch, at + i)) continue;
      if (plain) {
        add.plain(own, padded(n), box_at<T>(other, i), eps, grad[i - first], terms);
        continue;
      }
      add.any(own, n, box_at<T>(other, i), eps, grad[i - first], largest(), terms);
      for (int64_t j = 0; j < n; ++j) largest_grad[j] = max(abs(grad[i - first][j]), largest_grad[j]);
    }
    add_columns<T>(terms, padded(n), sum);
  }

  // The incoming gradient of a tile of own boxes, by other box; 0 where there is no own box.
  void load_gradient(int64_t batch, int64_t begin, int64_t n, int64_t other, int64_t m, T (&grad)[kChunk][kTile<T>]) const {
    const T* const from = static_cast<const T*>(a.grad) + batch * a.grad_batch_stride + begin * a.grad_own_stride +
                          other * a.grad_other_stride;
    if (a.grad_own_stride == 1) {
      for (int64_t i = 0; i < m; ++i) std::copy_n(from + i * a.grad_other_stride, n, grad[i]);
    } else {  // along the rows of a matrix that is to be transposed
      for (int64_t j = 0; j < n; ++j)
        for (int64_t i = 0; i < m; ++i) grad[i][j] = from[j * a.grad_own_stride + i * a.grad_other_stride];
    }
    for (int64_t i = 0; i < m; ++i) {
      std::fill(grad[i] + n, grad[i] + padded(n), T(0));
      if (a.own.mask)
        for (int64_t j = 0; j < n; ++j) grad[i][j] = a.own.has(batch, begin + j) ? grad[i][j] : T(0);
    }
  }

  bool within(const Columns<double, 4> (&sum)[2], int64_t n) const {
    bool ok = true;
    for (int64_t j = 0; j < n; ++j)
      for (int k = 0; k < 4; ++k) ok &= abs(sum[j / kTile<double>][k][j % kTile<double>]) <= double(largest());
    return ok;
  }

  // Saturated as a single partial would be, but for the factor that the incoming gradient brings: a GradScaler wants to
  // see that overflow.
  void saturate(Columns<double, 4> (&sum)[2], int64_t n, const T* largest_grad) const {
    for (int64_t j = 0; j < n; ++j)
      for (int k = 0; k < 4; ++k) {
        double& s = sum[j / kTile<double>][k][j % kTile<double>];
        const double limit = double(largest()) * largest_grad[j];
        if (s == s) s = std::clamp(s, -limit, limit);
      }
  }

  void store(const Columns<double, 4> (&sum)[2], int64_t n, int64_t batch, int64_t begin, int64_t part) const {
    double* const to = a.partial + ((part * a.batch + batch) * a.own.count + begin) * 4;
    for (int64_t j = 0; j < n; ++j)
      for (int k = 0; k < 4; ++k) to[4 * j + k] = sum[j / kTile<double>][k][j % kTile<double>];
  }
};

}  // namespace fastiou
