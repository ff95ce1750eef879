// Two rotated boxes as the kinds of kinds.h see a pair: their formulas hold for both.
#pragma once
#include "box.h"
#include "enclosing.h"
#include "overlap.h"

namespace fastiou {

template <class W, class H> struct Sides {
  W w;
  H h;
  FASTIOU_HD auto width() const { return w; }
  FASTIOU_HD auto height() const { return h; }
  FASTIOU_HD auto area() const { return product(w, h); }
};

// `I` is the area shared, `C` what the kind asks of the shape that encloses both: its area, or its squared diagonal.
template <class P, class G, class X, class Y, class I, class C, Real T> struct RotatedPair {
  P p;
  G g;
  X x;
  Y y;
  I shared;
  C enclosing;
  Eps<T> eps;

  FASTIOU_HD auto intersection() const { return shared; }
  FASTIOU_HD auto enclosing_area() const { return enclosing; }
  FASTIOU_HD auto enclosing_diagonal2() const { return enclosing; }
  FASTIOU_HD auto centre_distance2() const { return square(x) + square(y); }
};

// The sides are the prediction's as it lies within 45 degrees of the target, so that no kind knows how it is written.
template <bool kGrad, Real T, class I, class C>
FASTIOU_HD auto rotated_pair(const Pose<T>& f, const I& shared, const C& enclosing) {
  const auto n = numbers_of<kGrad>(f);
  return RotatedPair{Sides{n.pw, n.ph}, Sides{n.gw, n.gh}, n.x, n.y, shared, enclosing, Eps<T>{0, 0, 0}};
}

}  // namespace fastiou
