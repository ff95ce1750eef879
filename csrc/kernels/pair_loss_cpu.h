// The aligned losses on the CPU: tiles of rows are gathered, decoded, evaluated, encoded and scattered. Only evaluate()
// is compiled per kind; formats, dtypes and strides are settled before and after it, in cache.
#pragma once
#include "../math/kinds.h"
#include "loops_cpu.h"
#include "pair_loss.h"

namespace fastiou {

template <Real T> struct PairTile {
  alignas(64) Columns<T, 4> p, g, grad_p, grad_g;
  Columns<T, 2> points;
  Columns<T, 1> weight, loss, eps_area, scale;
};

// Memory that a loop asks for while it computes, so that it comes in the meantime: the boxes of the next tile, which
// will be read, and what this tile will write. Rows that do not lie one after another are left to the machine.
class Ahead {
 public:
  void read(const Rows& rows, const Operand& o, int64_t row) { add(reads_[read_count_], read_count_, rows, o, row); }
  void write(const Rows& rows, const Operand& o, int64_t row) {
    add(writes_[write_count_], write_count_, rows, o, row);
  }

  // Asks for rows [first, first + n) from the row that was given.
  FASTIOU_INLINE void ask(int64_t first, int64_t n) const {
    for (int i = 0; i < read_count_; ++i) ask<0>(reads_[i], first, n);
    for (int i = 0; i < write_count_; ++i) ask<1>(writes_[i], first, n);
  }

 private:
  struct Stream {
    const char* data;
    int64_t row_bytes;
  };

  static void add(Stream& stream, int& count, const Rows& rows, const Operand& o, int64_t row) {
    if (!o.packed || rows.ndim > 1 || row >= rows.count) return;
    int64_t bytes = o.stride[0];
    dispatch_dtype(o.dtype, [&]<class S>() { bytes *= sizeof(S); });
    stream = {static_cast<const char*>(o.data) + row * bytes, bytes};
    ++count;
  }
  template <int kWrite> FASTIOU_INLINE static void ask(const Stream& s, int64_t first, int64_t n) {
    constexpr int64_t line = 64;
    for (int64_t at = first * s.row_bytes; at < (first + n) * s.row_bytes; at += line)
      __builtin_prefetch(s.data + at, kWrite);
  }

  Stream reads_[2], writes_[3];
  int read_count_ = 0, write_count_ = 0;
};

// The loop that has to be fast. A test asks the compiler whether it vectorised it. It pauses every 32 rows to ask for a
// part of the memory: all at once would be more than a core can wait for.
template <class Kind, Grad kGrad, Real T>
FASTIOU_CLONES void evaluate_tile(PairTile<T>& t, int64_t n, T eps_ratio, const Ahead& ahead) {
  for (int64_t begin = 0; begin < n; begin += 32) {
    const int64_t end = std::min<int64_t>(begin + 32, n);
    ahead.ask(begin, end - begin);
    for (int64_t j = begin; j < end; ++j) {
      const T eps_area = t.eps_area[0][j];
      const PairGradients<T> r = evaluate<LossOf<Kind>, kGrad>(
          box_at<T>(t.p, j), box_at<T>(t.g, j), Eps<T>{eps_area, eps_area, eps_ratio}, t.weight[0][j]);
      t.loss[0][j] = r.value;
      if constexpr (kGrad != Grad::none) set_box<T>(t.grad_p, j, r.pred);
      if constexpr (kGrad == Grad::both) set_box<T>(t.grad_g, j, r.target);
    }
  }
}

template <Real T> using EvaluateTile = void (*)(PairTile<T>&, int64_t, T, const Ahead&);

template <Real T> EvaluateTile<T> evaluate_tile_for(int64_t kind, Grad grad) {
  EvaluateTile<T> f = nullptr;
  const auto choose = [&]<class Kind>() {
    switch (grad) {
      case Grad::none: f = evaluate_tile<Kind, Grad::none, T>; break;
      case Grad::pred: f = evaluate_tile<Kind, Grad::pred, T>; break;
      case Grad::both: f = evaluate_tile<Kind, Grad::both, T>; break;
    }
  };
  dispatch_kind(kind, choose, Kinds{});
  return f;
}

template <Real T> FASTIOU_CLONES void finish_tile(Format format, T largest, int64_t n, Columns<T, 4>& c) {
  for (int64_t j = 0; j < n; ++j) {
    set_box<T>(c, j, finish(format, largest, box_at<T>(c, j)));
  }
}

// Normalizes the rows that are not ordinary; whether there were none. A row's answer does not depend on its neighbours.
template <Real T> FASTIOU_CLONES bool prepare_tile(PairTile<T>& t, int64_t n, T eps_area) {
  int ordinary = 0;  // as narrow as the numbers, for the vectors' sake
  for (int64_t j = 0; j < n; ++j) ordinary += is_ordinary(box_at<T>(t.p, j), box_at<T>(t.g, j));
  std::fill_n(t.eps_area[0], n, eps_area);
  if (ordinary == n) return true;
  for (int64_t j = 0; j < n; ++j) {
    Box<T> p = box_at<T>(t.p, j), g = box_at<T>(t.g, j);
    t.scale[0][j] = 1;
    if (is_ordinary(p, g)) continue;
    Eps<T> eps{eps_area, eps_area, 0};
    t.scale[0][j] = normalize(p, g, eps);
    t.eps_area[0][j] = eps.area;
    set_box<T>(t.p, j, p);
    set_box<T>(t.g, j, g);
  }
  return false;
}

// Settles the rows that were normalized and those that are not finite.
template <Grad kGrad, Real T> FASTIOU_CLONES void settle_tile(PairTile<T>& t, int64_t n, bool ordinary) {
  const auto row = [&](int64_t j) {
    return PairGradients<T>{t.loss[0][j], box_at<T>(t.grad_p, j), box_at<T>(t.grad_g, j)};
  };
  int finite = 0;
  for (int64_t j = 0; j < n; ++j) finite += is_finite<kGrad>(row(j));
  if (ordinary && finite == n) return;
  for (int64_t j = 0; j < n; ++j) {
    PairGradients<T> r = row(j);
    const T scale = ordinary ? T(1) : t.scale[0][j];
    if (scale == 1 && is_finite<kGrad>(r)) continue;
    settle(r, box_at<T>(t.p, j), box_at<T>(t.g, j), t.weight[0][j], scale);
    t.loss[0][j] = r.value;
    set_box<T>(t.grad_p, j, r.pred);
    set_box<T>(t.grad_g, j, r.target);
  }
}

// Eight running sums: one alone would wait for each addition.
template <Real T> FASTIOU_CLONES double sum_tile(const T* x, int64_t n) {
  double s[8] = {};
  int64_t j = 0;
  for (; j + 8 <= n; j += 8)
    for (int k = 0; k < 8; ++k) s[k] += x[j + k];
  for (; j < n; ++j) s[0] += x[j];
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

// While a tile that begins with a row is computed.
inline Ahead ahead_of(const PairLossArgs& a, int64_t row, int64_t tile) {
  Ahead ahead;
  ahead.read(a.rows, a.pred, row + tile);
  ahead.read(a.rows, a.target, row + tile);
  if (a.grad_pred) ahead.write(a.rows, a.grad_pred, row);
  if (a.grad_target) ahead.write(a.rows, a.grad_target, row);
  if (a.reduction == Reduction::none) ahead.write(a.rows, a.loss, row);
  return ahead;
}

// Rows [begin, end); returns the sum of their losses where they are reduced.
template <Real T>
double pair_loss_rows(const PairLossArgs& a, EvaluateTile<T> evaluate_rows, double factor, int64_t begin, int64_t end) {
  PairTile<T> t;
  double sum = 0;
  if (!a.weight) std::fill_n(t.weight[0], std::min<int64_t>(kTile<T>, end - begin), static_cast<T>(factor));
  if (!a.points) std::fill_n(t.points[0], 2 * kTile<T>, T(0));
  for (int64_t i = begin; i < end; i += kTile<T>) {
    const int64_t n = std::min<int64_t>(kTile<T>, end - i);
    gather<4, T>(a.rows, a.pred, i, n, t.p);
    gather<4, T>(a.rows, a.target, i, n, t.g);
    if (a.points) gather<2, T>(a.rows, a.points, i, n, t.points);
    if (a.pred_format != Format::xyxy) decode_tile<T>(a.pred_format, n, t.points, t.p);
    if (a.target_format != Format::xyxy) decode_tile<T>(a.target_format, n, t.points, t.g);
    if (a.weight) {
      gather<1, T>(a.rows, a.weight, i, n, t.weight);
      for (int64_t j = 0; j < n; ++j) t.weight[0][j] *= static_cast<T>(factor);
    }
    const bool ordinary = prepare_tile<T>(t, n, static_cast<T>(a.eps.area));
    evaluate_rows(t, n, static_cast<T>(a.eps.ratio), ahead_of(a, i, kTile<T>));
    if (a.grad_target) settle_tile<Grad::both, T>(t, n, ordinary);
    else if (a.grad_pred) settle_tile<Grad::pred, T>(t, n, ordinary);
    else settle_tile<Grad::none, T>(t, n, ordinary);
    if (a.reduction == Reduction::none) scatter<1, T>(a.rows, a.loss, i, n, t.loss);
    else sum += sum_tile<T>(t.loss[0], n);
    const auto write = [&](const Operand& input, Format format, const Operand& grad, Columns<T, 4>& c) {
      const T largest = largest_of<T>(input.dtype);
      if (format != Format::xyxy || largest < kLargest<T>) finish_tile<T>(format, largest, n, c);
      scatter<4, T>(a.rows, grad, i, n, c);
    };
    if (a.grad_pred) write(a.pred, a.pred_format, a.grad_pred, t.grad_p);
    if (a.grad_target) write(a.target, a.target_format, a.grad_target, t.grad_g);
  }
  return sum;
}

}  // namespace fastiou
