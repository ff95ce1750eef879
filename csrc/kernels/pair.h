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

// What follows makes the answer finite for every finite input. All of it is for rare rows: a loop asks is_ordinary() or
// is_plain(), and is_finite(), of a row (or of many at once) and goes on if they agree.

// The largest |coordinate| of a pair. NaN may be lost in it, but not in the loss.
template <Real T> FASTIOU_HD T extent(const Box<T>& p, const Box<T>& g) {
  return max(max(max(abs(p.x1), abs(p.y1)), max(abs(p.x2), abs(p.y2))),
             max(max(abs(g.x1), abs(g.y1)), max(abs(g.x2), abs(g.y2))));
}

// The largest length whose square does not overflow in any formula, and the least area that none of them loses.
template <Real T> constexpr T kMostLength = std::is_same_v<T, float> ? T(0x1p60) : T(0x1p500);
template <Real T> constexpr T kLeastArea = std::is_same_v<T, float> ? T(0x1p-100) : T(0x1p-800);

// Whether squares of coordinates neither overflow nor vanish, even those of boxes that are one ulp wide.
template <Real T> FASTIOU_HD bool is_ordinary(const Box<T>& p, const Box<T>& g) {
  constexpr T least = std::is_same_v<T, float> ? T(0x1p-30) : T(0x1p-400);
  const T m = extent(p, g);
  return (m >= least && m <= kMostLength<T>) || m == 0;
}

// The same for loops that ask every pair for itself, with fewer comparisons: whether coordinates are no farther apart
// than that, and a box has an area, unless eps makes up for none. Other pairs may be ordinary, too.
template <Real T> FASTIOU_HD bool is_plain(const Box<T>& p, const Box<T>& g, const Eps<T>& eps) {
  constexpr T least = std::is_same_v<T, float> ? T(0x1p-26) : T(0x1p-396);
  const T sides = (abs(p.width()) + abs(p.height())) + (abs(g.width()) + abs(g.height()));
  const T reach = sides + (abs(g.x1 - p.x1) + abs(g.y1 - p.y1));
  const bool has_area = (eps.overlap >= kLeastArea<T>) | (max(p.area(), g.area()) >= kLeastArea<T>);
  return ((reach == 0) | (reach >= least)) & (reach <= kMostLength<T>) & has_area;
}

// Scales a pair by a power of two, and the eps of areas twice, so that its largest coordinate is a large number whose
// square does not overflow; returns the scale. All formulas are homogeneous and the scaling is exact, so the loss is
// the same and the gradient is too, divided by the scale; but 1e30 does not overflow when squared, and neither does the
// area of a needle vanish nor that of two boxes of 1e-30. Where eps would get out of range the coordinate lies in [1,
// 2), or below if that takes more than `most_beside_eps`: then areas are nothing beside eps.
template <Real T> FASTIOU_HD T normalize(Box<T>& p, Box<T>& g, Eps<T>& eps) {
  constexpr bool single = std::is_same_v<T, float>;
  constexpr T larger = single ? T(0x1p58) : T(0x1p480), most = single ? T(0x1p126) : T(0x1p1022);
  constexpr T most_beside_eps = single ? T(0x1p62) : T(0x1p510), most_eps = kLargest<T> / 8;  // has a normal reciprocal
  const T one = normalizer(extent(p, g));
  const T s = max(eps.overlap, eps.area) * one * one <= T(1) ? min(one * larger, most) : min(one, most_beside_eps);
  p = {p.x1 * s, p.y1 * s, p.x2 * s, p.y2 * s};
  g = {g.x1 * s, g.y1 * s, g.x2 * s, g.y2 * s};
  eps.overlap = min(eps.overlap * s * s, most_eps);
  eps.area = min(eps.area * s * s, most_eps);
  return s;
}

// Normalizes a pair that needs it, because it is not ordinary, or because it divides by areas alone that are hardly
// normal numbers; returns the scale.
template <Real T> FASTIOU_HD T rescale(Box<T>& p, Box<T>& g, Eps<T>& eps) {
  const T area = max(abs(p.area()), abs(g.area()));
  const bool fits = is_ordinary(p, g) && (area == 0 || max(area, eps.overlap) >= kLeastArea<T>);
  return fits ? T(1) : normalize(p, g, eps);
}

// 0 if the numbers are finite and their sum is, else NaN.
template <Real T> FASTIOU_HD T nan_unless_finite(T x) { return x - x; }
template <Real T> FASTIOU_HD T nan_unless_finite(const Box<T>& b) {
  return nan_unless_finite(b.x1 + b.y1 + b.x2 + b.y2);
}

// Whether all numbers are, and their sum is: a row whose sum alone is not is settled for nothing.
template <Grad kGrad, Real T> FASTIOU_HD bool is_finite(const PairGradients<T>& r) {
  const auto sum = [](const Box<T>& d) { return (d.x1 + d.x2) + (d.y1 + d.y2); };  // formats add x1 + x2 and y1 + y2
  T total = r.value;
  if constexpr (kGrad != Grad::none) total += sum(r.pred);
  if constexpr (kGrad == Grad::both) total += sum(r.target);
  return abs(total) <= kLargest<T>;
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

// Value and gradients of any pair, times `weight`; the same numbers as evaluate() for ordinary ones.
template <class Quantity, Grad kGrad, Real T>
FASTIOU_HD PairGradients<T> evaluate_carefully(Box<T> p, Box<T> g, Eps<T> eps, T weight) {
  const T scale = rescale(p, g, eps);
  PairGradients<T> r{};
  r = evaluate<Quantity, kGrad>(p, g, eps, weight);
  settle(r, p, g, weight, scale);
  return r;
}

// A gradient with respect to corners -> with respect to the four numbers as written, saturated at the largest number of
// the tensor's own dtype. (An incoming gradient is multiplied in later and may overflow: a GradScaler wants to see
// that.)
template <Real T> FASTIOU_HD Box<T> finish(Format format, T largest, Box<T> d) {
  encode_gradient(format, d.x1, d.y1, d.x2, d.y2);
  return {bounded(d.x1, largest), bounded(d.y1, largest), bounded(d.x2, largest), bounded(d.y2, largest)};
}

// ------------------------------------------------------------------------------------------------- sets of boxes
// A proper box of ordinary size. Any two of them have a finite score and gradient as they are, so a loop over pairs
// asks every box once and every pair nothing.
template <Real T> FASTIOU_HD bool is_plain(const Box<T>& b) {
  const T area =
      b.area();  // a smaller one than that would count as 0 where it is divided by (ratio() in math/scalar.h)
  return (b.x1 <= b.x2) & (b.y1 <= b.y2) & is_ordinary(b, b) & (nan_unless_finite(b) == 0) &
         ((area == 0) | (area >= kLeastArea<T>));
}

// The score of two plain boxes, prepared for the kind (math/kinds.h) or not.
template <class Kind, class B, Real T> FASTIOU_HD T plain_score(const B& p, const B& g, const Eps<T>& eps) {
  return ScoreOf<Kind>::of(Pair{p, g, eps});
}

// The scores of any two, with gradients or without.
template <class Kind, Grad kGrad, Real T>
FASTIOU_HD PairGradients<T> evaluate_any(const Box<T>& p, const Box<T>& g, const Eps<T>& eps, T weight) {
  return evaluate_carefully<ScoreOf<Kind>, kGrad>(p, g, eps, weight);
}
template <class Kind, Real T> FASTIOU_HD T any_score(const Box<T>& p, const Box<T>& g, const Eps<T>& eps) {
  return evaluate_any<Kind, Grad::none>(p, g, eps, T(1)).value;
}

}  // namespace fastiou
