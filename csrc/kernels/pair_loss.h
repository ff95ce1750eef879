// The aligned loss of one pair of boxes, as the CPU and the CUDA loops run it on every row.
#pragma once
#include "../math/box.h"
#include "operand.h"

namespace fastiou {

// Which gradients a loop writes: none, the prediction's, or both boxes'.
enum class Grad : int { none, pred, both };

enum class Reduction : int { none, mean, sum };

struct PairLossArgs {
  Rows rows;
  Operand pred, target;            // (rows, 4)
  Operand points;                  // (rows, 2), or absent
  Operand weight;                  // (rows), or absent
  Operand loss;                    // (rows), or one number where reduced
  Operand grad_pred, grad_target;  // (rows, 4) in the compute dtype, or absent
  Format pred_format = Format::xyxy, target_format = Format::xyxy;
  Reduction reduction = Reduction::none;
  double eps = 0;
  double factor = 1;        // loss and gradients are multiplied by this,
  const void* avg_factor = nullptr;  // and divided by this number + float32's epsilon where given
  DType avg_factor_dtype = DType::f32;
};

// MMDetection's reading of avg_factor: sum / (avg_factor + eps), eps of float32 whatever the dtype.
constexpr double kAvgFactorEps = 1.1920928955078125e-07;

template <Real T> struct PairGradients {
  T loss;
  Box<T> pred, target;  // d loss / d corners
};

// x if it is finite, +-`largest` if it overflowed, 0 if it is undefined; `poison` (0 or NaN) is added last.
template <Real T> FASTIOU_HD T settle(T x, T largest, T poison) {
  x = x == x ? x : T(0);
  return max(min(x, largest), -largest) + poison;
}

// Loss and gradients of one pair, times `weight`. Every finite input has a finite answer; a row that holds NaN or
// infinity is NaN.
//
// The pair is first scaled by a power of two so that its largest coordinate lies in [1, 2): all formulas are
// homogeneous, so nothing changes but that 1e30 does not overflow when squared and 1e-30 does not vanish. Scaling by a
// power of two is exact; eps is an area and scales twice.
template <class Kind, Grad kGrad, Real T>
FASTIOU_HD PairGradients<T> evaluate(const Box<T>& p, const Box<T>& g, T eps, T weight) {
  const T s = normalizer(max(max(max(abs(p.x1), abs(p.y1)), max(abs(p.x2), abs(p.y2))),
                             max(max(abs(g.x1), abs(g.y1)), max(abs(g.x2), abs(g.y2)))));
  const Box<T> ps{p.x1 * s, p.y1 * s, p.x2 * s, p.y2 * s}, gs{g.x1 * s, g.y1 * s, g.x2 * s, g.y2 * s};
  const Eps<T> e{min(eps * s * s, kLargest<T>), eps};
  const T poison = (ps.x1 + ps.y1 + ps.x2 + ps.y2 + gs.x1 + gs.y1 + gs.x2 + gs.y2) * T(0) + (weight - weight);
  constexpr T largest = kLargest<T> / 2;  // formats add two partials: their sum is finite too

  PairGradients<T> r;
  if constexpr (kGrad == Grad::none) {
    const Pair<T, T, T> pair{ps, gs, e};
    r.loss = settle(Kind::loss(Kind::score(pair), pair) * weight, largest, poison);
  } else {
    constexpr int kBoth = kGrad == Grad::both;
    using D = Dual<T, kBoth ? 8 : 4>;
    const Box<D> pd{D::variable(ps.x1, 0), D::variable(ps.y1, 1), D::variable(ps.x2, 2), D::variable(ps.y2, 3)};
    D l;
    if constexpr (kBoth) {
      const Box<D> gd{D::variable(gs.x1, 4), D::variable(gs.y1, 5), D::variable(gs.x2, 6), D::variable(gs.y2, 7)};
      const Pair<D, D, T> pair{pd, gd, e};
      l = Kind::loss(Kind::score(pair), pair);
    } else {
      const Pair<D, T, T> pair{pd, gs, e};
      l = Kind::loss(Kind::score(pair), pair);
    }
    const T w = weight * s;
    r.loss = settle(l.v * weight, largest, poison);
    r.pred = {settle(l.d[0] * w, largest, poison), settle(l.d[1] * w, largest, poison),
              settle(l.d[2] * w, largest, poison), settle(l.d[3] * w, largest, poison)};
    if constexpr (kBoth)
      r.target = {settle(l.d[4] * w, largest, poison), settle(l.d[5] * w, largest, poison),
                  settle(l.d[6] * w, largest, poison), settle(l.d[7] * w, largest, poison)};
  }
  return r;
}

// A gradient with respect to corners -> with respect to the four numbers as written, saturated at the largest number of
// the tensor's own dtype. (An incoming gradient is multiplied in later and may overflow: a GradScaler wants to see that.)
template <Real T> FASTIOU_HD Box<T> finish(Format format, T largest, Box<T> d) {
  encode_gradient(format, d.x1, d.y1, d.x2, d.y2);
  const auto saturate = [largest](T x) { return x > largest ? largest : (x < -largest ? -largest : x); };
  return {saturate(d.x1), saturate(d.y1), saturate(d.x2), saturate(d.y2)};
}

}  // namespace fastiou
