// One pair of boxes, as every CPU and CUDA loop evaluates it: the value of a formula and its gradient, finite for all
// finite boxes.
#pragma once
#include "../math/box.h"

namespace fastiou {

// Which gradients a loop wants: none, the first box's (the prediction), or both boxes'.
enum class Grad : int { none, pred, both };

template <Real T> struct PairGradients {
  T value;
  Box<T> pred, target;  // d value / d corners
};

// The target as variables 4 to 7 of 8 where its gradient is wanted, else as it is.
template <bool wanted, Real T> FASTIOU_HD auto target_variables(const Box<T>& g) {
  if constexpr (wanted) return variables<8, 4>(g);
  else return g;
}

// What is asked of a pair: its loss, or its score.
template <class Kind> struct LossOf {
  template <class B> FASTIOU_HD static auto of(const B& pair) { return Kind::loss(Kind::score(pair), pair); }
};
template <class Kind> struct ScoreOf {
  template <class B> FASTIOU_HD static auto of(const B& pair) { return Kind::score(pair); }
};

// Value and gradients of one pair, times `weight`: the formula and nothing else.
template <class Quantity, Grad kGrad, Real T>
FASTIOU_HD PairGradients<T> evaluate(const Box<T>& p, const Box<T>& g, const Eps<T>& eps, T weight) {
  PairGradients<T> r;
  if constexpr (kGrad == Grad::none) {
    const Pair pair{p, g, eps};
    r.value = Quantity::of(pair) * weight;
  } else {
    constexpr bool both = kGrad == Grad::both;
    constexpr int n = both ? 8 : 4;
    const Pair pair{variables<n, 0>(p), target_variables<both>(g), eps};
    const auto q = Quantity::of(pair);
    r.value = q.v * weight;
    r.pred = gradient<0>(q, weight);
    if constexpr (both) r.target = gradient<4>(q, weight);
  }
  return r;
}

// What follows makes the answer finite for every finite input. All of it is for rare rows: a loop asks is_ordinary() and
// is_finite() of a row (or of many at once) and goes on if they agree.

// The largest |coordinate| of a pair. NaN may be lost in it, but not in the loss.
template <Real T> FASTIOU_HD T extent(const Box<T>& p, const Box<T>& g) {
  return max(max(max(abs(p.x1), abs(p.y1)), max(abs(p.x2), abs(p.y2))),
             max(max(abs(g.x1), abs(g.y1)), max(abs(g.x2), abs(g.y2))));
}

// Whether squares of coordinates neither overflow nor vanish, even those of boxes that are one ulp wide.
template <Real T> FASTIOU_HD bool is_ordinary(const Box<T>& p, const Box<T>& g) {
  constexpr T least = std::is_same_v<T, float> ? T(0x1p-30) : T(0x1p-400);
  constexpr T most = std::is_same_v<T, float> ? T(0x1p60) : T(0x1p500);
  const T m = extent(p, g);
  return (m >= least && m <= most) || m == 0;
}

// Scales a pair by a power of two so that its largest coordinate lies in [1, 2), and the eps of areas twice; returns
// the scale. All formulas are homogeneous and the scaling is exact, so the loss is the same and the gradient is too, divided
// by the scale; but 1e30 does not overflow when squared and 1e-30 does not vanish.
template <Real T> FASTIOU_HD T normalize(Box<T>& p, Box<T>& g, Eps<T>& eps) {
  const T s = normalizer(extent(p, g));
  p = {p.x1 * s, p.y1 * s, p.x2 * s, p.y2 * s};
  g = {g.x1 * s, g.y1 * s, g.x2 * s, g.y2 * s};
  eps.overlap = min(eps.overlap * s * s, kLargest<T>);
  eps.area = min(eps.area * s * s, kLargest<T>);
  return s;
}

// 0 if the numbers are finite and their sum is, else NaN.
template <Real T> FASTIOU_HD T nan_unless_finite(T x) { return x - x; }
template <Real T> FASTIOU_HD T nan_unless_finite(const Box<T>& b) { return nan_unless_finite(b.x1 + b.y1 + b.x2 + b.y2); }

template <Grad kGrad, Real T> FASTIOU_HD bool is_finite(const PairGradients<T>& r) {
  T sum = nan_unless_finite(r.value);
  if constexpr (kGrad != Grad::none) sum += nan_unless_finite(r.pred);
  if constexpr (kGrad == Grad::both) sum += nan_unless_finite(r.target);
  return sum == 0;
}

// x if it is finite, +-largest if it overflowed, 0 if it is undefined; `poison` (0 or NaN) is added last.
// largest / 2, because formats add two partials: their sum is finite too.
template <Real T> FASTIOU_HD T settle(T x, T poison) {
  constexpr T largest = kLargest<T> / 2;
  x = x == x ? x : T(0);
  return max(min(x, largest), -largest) + poison;
}

// Scales the gradients back and settles all numbers; NaN for a row that holds NaN or infinity.
template <Real T>
FASTIOU_HD void settle(PairGradients<T>& r, const Box<T>& p, const Box<T>& g, T weight, T scale) {
  const T poison = nan_unless_finite(p) + nan_unless_finite(g) + nan_unless_finite(weight);
  const auto box = [&](const Box<T>& d) -> Box<T> {
    return {settle(d.x1 * scale, poison), settle(d.y1 * scale, poison), settle(d.x2 * scale, poison),
            settle(d.y2 * scale, poison)};
  };
  r.value = settle(r.value, poison);
  r.pred = box(r.pred);
  r.target = box(r.target);
}

// A gradient with respect to corners -> with respect to the four numbers as written, saturated at the largest number of
// the tensor's own dtype. (An incoming gradient is multiplied in later and may overflow: a GradScaler wants to see that.)
template <Real T> FASTIOU_HD Box<T> finish(Format format, T largest, Box<T> d) {
  encode_gradient(format, d.x1, d.y1, d.x2, d.y2);
  return {bounded(d.x1, largest), bounded(d.y1, largest), bounded(d.x2, largest), bounded(d.y2, largest)};
}

// ------------------------------------------------------------------------------------------------- sets of boxes
// A proper box of ordinary size. Any two of them have a finite score and gradient as they are, so a loop over pairs asks
// every box once and every pair nothing.
template <Real T> FASTIOU_HD bool is_plain(const Box<T>& b) {
  return (b.x1 <= b.x2) & (b.y1 <= b.y2) & is_ordinary(b, b) & (nan_unless_finite(b) == 0);
}

// The score of two plain boxes, prepared for the kind (math/kinds.h) or not.
template <class Kind, class B, Real T> FASTIOU_HD T plain_score(const B& p, const B& g, const Eps<T>& eps) {
  return ScoreOf<Kind>::of(Pair{p, g, eps});
}

// Value and gradients of the score of any two boxes, times `weight`; the same numbers as evaluate() for plain boxes.
template <class Kind, Grad kGrad, Real T>
FASTIOU_HD PairGradients<T> evaluate_any(Box<T> p, Box<T> g, Eps<T> eps, T weight) {
  const T scale = is_ordinary(p, g) ? T(1) : normalize(p, g, eps);
  PairGradients<T> r{};
  r = evaluate<ScoreOf<Kind>, kGrad>(p, g, eps, weight);
  settle(r, p, g, weight, scale);
  return r;
}
template <class Kind, Real T> FASTIOU_HD T any_score(const Box<T>& p, const Box<T>& g, const Eps<T>& eps) {
  return evaluate_any<Kind, Grad::none>(p, g, eps, T(1)).value;
}

}  // namespace fastiou
