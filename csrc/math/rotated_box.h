// Rotated boxes, and how one lies in the frame of another.
#pragma once
#include "angle.h"
#include "dual.h"

namespace fastiou {

// Centre, sides and angle: the width lies along (cos, sin) of the angle, with y down, so angles turn clockwise on a
// screen. The angle keeps the unit that it is written in. Sides below 0 count as 0.
template <Real T> struct RotatedBox { T x, y, w, h, angle; };

// x where a side counts as it is, else 0.
template <Real T> FASTIOU_HD T within(T side, T least, T most, T x) {
  return (side >= least) & (side <= most) ? x : T(0);
}

// A pair as the target sees it: its centre is the origin, its width the x axis. Only whole quarter turns and the sense
// of rotation are lost, and no area knows them: the prediction's sides change places until it is turned by at most 45
// degrees, and y points to where that turn is clockwise. Identical boxes, however they are written, differ in nothing
// then, and no formula below needs a case for signs.
template <Real T> struct Pose {
  T x, y;            // the centre of the prediction
  T pw, ph, gw, gh;  // sides of prediction and target, at least 0
  T c, s;            // cosine and sine, both at least 0, of the angle between
  T gc, gs;          // cosine and sine of the target's angle
  T mirror;          // -1 if y has been turned around, else 1
  T swapped;         // 1 if the prediction's sides have changed places, else 0
};

// What formulas are differentiated by: numbers of a pose, the angle between, and for what depends on the axes of the
// picture the target's angle.
namespace by {
enum Variable : int { x, y, pw, ph, gw, gh, turn, angle, count };
}
template <Real T, unsigned mask> using PoseDual = Dual<T, by::count, mask>;
constexpr unsigned kPoseMask = 0x7f;  // all but the target's angle

// How much of x, a sum of a few terms of that size, rounding may have changed.
template <Real T> FASTIOU_HD T rounding(T x) {
  constexpr T epsilon = std::is_same_v<T, float> ? T(0x1p-23) : T(0x1p-52);
  return 4 * epsilon * x;
}

// Whether sides count as parallel: over the longest one they part by less than the shortest is rounded.
template <Real T> FASTIOU_HD bool are_parallel(const Pose<T>& f) {
  const T most = max(max(f.pw, f.ph), max(f.gw, f.gh)), least = min(min(f.pw, f.ph), min(f.gw, f.gh));
  return !(f.s * most > rounding(least));
}

// The numbers of a pose as variables where a gradient is wanted, for formulas over duals.
template <class X, class Y, class PW, class PH, class GW, class GH, class C, class S> struct PoseNumbers {
  X x;
  Y y;
  PW pw;
  PH ph;
  GW gw;
  GH gh;
  C c;
  S s;
};
template <bool kGrad, int kVariable, Real T> FASTIOU_HD auto pose_number(T x, T slope = 1) {
  if constexpr (!kGrad) {
    return x;
  } else {
    PoseDual<T, 1u << kVariable> r = variable<by::count, kVariable>(x);
    r.d[kVariable] = slope;
    return r;
  }
}
template <bool kGrad, Real T> FASTIOU_HD auto numbers_of(const Pose<T>& f) {
  return PoseNumbers{pose_number<kGrad, by::x>(f.x),          pose_number<kGrad, by::y>(f.y),
                     pose_number<kGrad, by::pw>(f.pw),        pose_number<kGrad, by::ph>(f.ph),
                     pose_number<kGrad, by::gw>(f.gw),        pose_number<kGrad, by::gh>(f.gh),
                     pose_number<kGrad, by::turn>(f.c, -f.s), pose_number<kGrad, by::turn>(f.s, f.c)};
}
template <bool kGrad, Real T> FASTIOU_HD auto pose_constant(T x) {
  if constexpr (kGrad) return constant<by::count>(x);
  else return x;
}

template <Real T>
FASTIOU_HD Pose<T> pose_of(const RotatedBox<T>& p, const RotatedBox<T>& g, const Direction<T>& at,
                           const AngleUnit<T>& unit) {
  const QuarterTurns<T> turn = turn_between(p.angle, g.angle, unit);
  constexpr T far = kLargest<T> / 4;
  const T dx = clamp(p.x - g.x, -far, far), dy = clamp(p.y - g.y, -far, far);
  const T s = sin_small(turn.rest), mirror = turn.rest < 0 ? T(-1) : T(1);
  const T pw = max(p.w, T(0)), ph = max(p.h, T(0));
  const bool swapped = (turn.quarters & 1) != 0;
  return {dx * at.c + dy * at.s,
          (dy * at.c - dx * at.s) * mirror,
          swapped ? ph : pw,
          swapped ? pw : ph,
          max(g.w, T(0)),
          max(g.h, T(0)),
          cos_small(turn.rest),
          abs(s),
          at.c,
          at.s,
          mirror,
          swapped ? T(1) : T(0)};
}

// The pose of boxes that are s times as large.
template <Real T> FASTIOU_HD Pose<T> scaled(Pose<T> f, T s) {
  f.x *= s, f.y *= s, f.pw *= s, f.ph *= s, f.gw *= s, f.gh *= s;
  return f;
}

// Partial derivatives by the numbers of a pose, lengths times `scale` and sides times `side_scale`, -> by those of the
// boxes, as they are written. Sides outside of [least, most] count as those limits.
template <Real T> struct RotatedGradient { RotatedBox<T> p, g; };

template <Real T>
FASTIOU_HD RotatedGradient<T> boxes_gradient(const Pose<T>& f, const T (&d)[by::count], const RotatedBox<T>& p,
                                             const RotatedBox<T>& g, T scale, T side_scale, T radians, T least,
                                             T most) {
  const T dx = d[by::x] * scale, dy = d[by::y] * f.mirror * scale;
  const T x = dx * f.gc - dy * f.gs, y = dx * f.gs + dy * f.gc;
  const bool swapped = f.swapped != 0;
  const T pw = (swapped ? d[by::ph] : d[by::pw]) * side_scale, ph = (swapped ? d[by::pw] : d[by::ph]) * side_scale;
  const T turn = d[by::turn] * f.mirror;
  const T around = (d[by::x] * f.y - d[by::y] * f.x) * f.mirror;  // turning the target turns the centre the other way
  return {{x, y, within(p.w, least, most, pw), within(p.h, least, most, ph), turn * radians},
          {-x, -y, within(g.w, least, most, d[by::gw] * side_scale), within(g.h, least, most, d[by::gh] * side_scale),
           (around - turn + d[by::angle]) * radians}};
}

}  // namespace fastiou
