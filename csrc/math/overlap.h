// The area that two rotated boxes share, and its partial derivatives.
//
// Green's theorem with the field (clamp(x), 0) inside the target and 0 outside turns the area into the integral of
// clamp(x) d clamp(y) over the four edges of the prediction. It needs no vertices, no sorting and no tolerance, and
// where two edges coincide there is nothing to decide that could be decided inconsistently, which is what makes clipped
// polygons wrong for boxes that are almost the same. The error is a few epsilon of the smaller box's area.
#pragma once
#include "rotated_box.h"

namespace fastiou {

// Whether the insides may overlap, by the separating axis theorem.
template <Real T> FASTIOU_HD bool may_overlap(const Pose<T>& f) {
  const T p = f.pw * T(0.5), q = f.ph * T(0.5), a = f.gw * T(0.5), b = f.gh * T(0.5);
  return (abs(f.x) < a + p * f.c + q * f.s) & (abs(f.y) < b + p * f.s + q * f.c) &
         (abs(f.x * f.c + f.y * f.s) < p + a * f.c + b * f.s) & (abs(f.y * f.c - f.x * f.s) < q + a * f.s + b * f.c) &
         (f.pw > 0) & (f.ph > 0) & (f.gw > 0) & (f.gh > 0);
}

namespace detail {

// The mean of clamp(u, ulo, uhi) for u spread evenly over [lo, hi].
template <Real T> FASTIOU_HD T mean_of_clamp(T lo, T hi, T ulo, T uhi) {
  const T l = clamp(lo, ulo, uhi), h = clamp(hi, ulo, uhi), length = hi - lo;
  const T below = relu(min(hi, ulo) - lo), above = relu(hi - max(lo, uhi));
  const T sum = ulo * below + uhi * above + T(0.5) * (h - l) * (h + l);
  const bool is_point = !(length >= kSmallestNormal<T>);
  const T r = quotient(sum, is_point ? T(1) : length);
  return is_point ? l : r;
}

// The integral along an edge of the prediction that goes down from (ua, ya) to (ub, yb), to the right along its width
// and to the left along its height. Inside the target it goes from va to vb; `slope` is |dx / dy|.
template <Real T>
FASTIOU_HD T along_width(T ua, T ya, T va, T ub, T yb, T vb, T slope, T ulo, T uhi) {
  const T lo = clamp(ua + (va - ya) * slope, ua, ub), hi = clamp(ub + (vb - yb) * slope, ua, ub);
  return mean_of_clamp(lo, hi, ulo, uhi) * (vb - va);
}
template <Real T>
FASTIOU_HD T along_height(T ua, T ya, T va, T ub, T yb, T vb, T slope, T ulo, T uhi) {
  const T hi = clamp(ua - (va - ya) * slope, ub, ua), lo = clamp(ub - (vb - yb) * slope, ub, ua);
  return mean_of_clamp(lo, hi, ulo, uhi) * (vb - va);
}

}  // namespace detail

template <Real T> FASTIOU_HD T overlap_area(const Pose<T>& f) {
  const T p = f.pw * T(0.5), q = f.ph * T(0.5), a = f.gw * T(0.5), b = f.gh * T(0.5);
  // The target around the prediction's centre, and then around the point of its width nearest to that: what is
  // integrated is no larger than either box.
  const T xlo = -a - f.x, xhi = a - f.x, ylo = -b - f.y, yhi = b - f.y;
  const T at = clamp(T(0), xlo, xhi);
  const T ulo = at == xhi ? -f.gw : (at == xlo ? T(0) : xlo - at);
  const T uhi = at == xhi ? T(0) : (at == xlo ? f.gw : xhi - at);
  // Corners of the prediction: 0 top left, 1 top right, 2 and 3 opposite to them.
  const T pc = p * f.c, ps = p * f.s, qc = q * f.c, qs = q * f.s;
  const T x0 = qs - pc, y0 = -ps - qc, x1 = qs + pc, y1 = ps - qc;
  const T u0 = x0 - at, u1 = x1 - at, u2 = -x0 - at, u3 = -x1 - at;
  const T v0 = clamp(y0, ylo, yhi), v1 = clamp(y1, ylo, yhi), v2 = clamp(-y0, ylo, yhi), v3 = clamp(-y1, ylo, yhi);
  constexpr T tiny = T(1e-30);
  const T flat = f.s > tiny ? quotient(f.c, f.s > tiny ? f.s : T(1)) : T(0);
  const T steep = quotient(f.s, f.c);  // c is above 0.7
  const T area = (detail::along_width(u0, y0, v0, u1, y1, v1, flat, ulo, uhi) +
                  detail::along_height(u1, y1, v1, u2, -y0, v2, steep, ulo, uhi)) -
                 (detail::along_height(u0, y0, v0, u3, -y1, v3, steep, ulo, uhi) +
                  detail::along_width(u3, -y1, v3, u2, -y0, v2, flat, ulo, uhi));
  return may_overlap(f) ? clamp(area, T(0), min(f.pw * f.ph, f.gw * f.gh)) : T(0);
}

namespace detail {

// Where lo <= t * slope <= hi, for the inverse of the slope. Lines whose slope is the sine of the angle between may be
// parallel (inverse 0); those weigh in with 1 inside, 1/2 on the edge, 0 outside.
template <Real T> struct Slab { T from, to, weight; };
template <Real T> FASTIOU_HD Slab<T> slab(T lo, T hi, T inverse, T tie) {
  const bool parallel = inverse == 0;
  const T w = ((lo < -tie ? T(0.5) : T(0)) + (lo <= tie ? T(0.5) : T(0))) *
              ((hi > tie ? T(0.5) : T(0)) + (hi >= -tie ? T(0.5) : T(0)));
  constexpr T far = T(1e30);
  return {parallel ? -far : lo * inverse, parallel ? far : hi * inverse, parallel ? w : T(1)};
}
template <Real T> FASTIOU_HD Slab<T> steep_slab(T lo, T hi, T inverse) { return {lo * inverse, hi * inverse, T(1)}; }

// How much of an edge lies in two slabs, and the middle of that.
template <Real T> struct Stretch { T length, middle; };
template <Real T> FASTIOU_HD Stretch<T> stretch(T lo, T hi, const Slab<T>& u, const Slab<T>& v) {
  const T from = max(lo, max(u.from, v.from)), to = min(hi, min(u.to, v.to));
  return {relu(to - from) * u.weight * v.weight, T(0.5) * (from + to)};
}

// How much of the target's edges at x, and at y, lies in the prediction, around whose centre coordinates are.
template <Real T> FASTIOU_HD T upright_length(const Pose<T>& f, T x, T ic, T is, T tie) {
  const T p = f.pw * T(0.5), q = f.ph * T(0.5), b = f.gh * T(0.5), xc = x * f.c, xs = x * f.s;
  return stretch(-b - f.y, b - f.y, slab(-p - xc, p - xc, is, tie), steep_slab(xs - q, xs + q, ic)).length;
}
template <Real T> FASTIOU_HD T level_length(const Pose<T>& f, T y, T ic, T is, T tie) {
  const T p = f.pw * T(0.5), q = f.ph * T(0.5), a = f.gw * T(0.5), yc = y * f.c, ys = y * f.s;
  return stretch(-a - f.x, a - f.x, steep_slab(-p - ys, p - ys, ic), slab(yc - q, yc + q, is, tie)).length;
}

}  // namespace detail

// The partial derivatives: an edge that moves sweeps as much area as it has length inside the other box (Hadamard's
// formula). Edges that coincide count half for either box, as a tie of max does: boxes that agree do not pull each
// other.
template <Real T> FASTIOU_HD PoseDual<T, kPoseMask> overlap_dual(const Pose<T>& f) {
  using detail::slab;
  using detail::steep_slab;
  using detail::stretch;
  const T p = f.pw * T(0.5), q = f.ph * T(0.5), a = f.gw * T(0.5), b = f.gh * T(0.5), c = f.c, s = f.s;
  const T across = rounding(p + a + abs(f.x)), along = rounding(q + b + abs(f.y));  // ties in x and in y
  const bool parallel = are_parallel(f);
  const T ic = quotient(T(1), c), is = parallel ? T(0) : divide(T(1), s);
  const T xlo = -a - f.x, xhi = a - f.x, ylo = -b - f.y, yhi = b - f.y;
  const T pc = p * c, ps = p * s, qc = q * c, qs = q * s;
  // Edges of the prediction inside the target: top, right, bottom, left.
  const auto top = stretch(-p, p, steep_slab(xlo - qs, xhi - qs, ic), slab(ylo + qc, yhi + qc, is, along));
  const auto right = stretch(-q, q, slab(pc - xhi, pc - xlo, is, across), steep_slab(ylo - ps, yhi - ps, ic));
  const auto bottom = stretch(-p, p, steep_slab(xlo + qs, xhi + qs, ic), slab(ylo - qc, yhi - qc, is, along));
  const auto left = stretch(-q, q, slab(-pc - xhi, -pc - xlo, is, across), steep_slab(ylo + ps, yhi + ps, ic));
  // Edges of the target inside the prediction.
  const T upright = detail::upright_length(f, xhi, ic, is, across) + detail::upright_length(f, xlo, ic, is, across);
  const T level = detail::level_length(f, yhi, ic, is, along) + detail::level_length(f, ylo, ic, is, along);
  const T width_pull = right.length - left.length, height_pull = bottom.length - top.length;
  const T inside = may_overlap(f) ? T(1) : T(0), half = inside * T(0.5);
  PoseDual<T, kPoseMask> r;
  r.v = overlap_area(f);
  r.d[by::x] = (c * width_pull - s * height_pull) * inside;
  r.d[by::y] = (s * width_pull + c * height_pull) * inside;
  r.d[by::pw] = (right.length + left.length) * half;
  r.d[by::ph] = (top.length + bottom.length) * half;
  r.d[by::gw] = upright * half;
  r.d[by::gh] = level * half;
  r.d[by::turn] = (bottom.length * bottom.middle - top.length * top.middle + left.length * left.middle -
                   right.length * right.middle) * inside;
  r.d[by::angle] = 0;
  return r;
}

}  // namespace fastiou
