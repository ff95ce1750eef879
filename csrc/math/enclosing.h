// What encloses two rotated boxes: the convex hull, or a rectangle that lies in some direction. GIoU asks for its area,
// DIoU and CIoU for the square of its diagonal; that of the hull is its diameter.
#pragma once
#include "hull.h"

namespace fastiou {

// hull: the convex hull. min: the rectangle of least area. target: the rectangle in the target's direction. aabb: the
// one in that of the axes, which is larger than two identical boxes. The order is that of enclosing_names.
enum class Enclosing : int { hull, min, target, aabb };
inline constexpr const char* enclosing_names[] = {"hull", "min", "target", "aabb"};

// A rectangle in a direction of length |n|, which its sides are multiples of.
template <class W, class H, class N> struct EnclosingRectangle {
  W w;
  H h;
  N n2;  // |n|^2
  FASTIOU_HD auto area() const { return divide(product(w, h), n2); }
  FASTIOU_HD auto diagonal2() const { return divide(square(w) + square(h), n2); }
};

namespace detail {

// How far both boxes reach along n, which is in the target's frame. A pose of numbers, or of duals.
template <class P, class X, class Y> FASTIOU_HD auto span(const P& f, const X& nx, const Y& ny) {
  const auto middle = product(nx, f.x) + product(ny, f.y);
  const auto p = times(0.5, product(f.pw, abs(product(nx, f.c) + product(ny, f.s))) +
                                product(f.ph, abs(product(ny, f.c) - product(nx, f.s))));
  const auto g = times(0.5, product(f.gw, abs(nx)) + product(f.gh, abs(ny)));
  return max(middle + p, g) + max(p - middle, g);
}

template <class P, class X, class Y> FASTIOU_HD auto rectangle_along(const P& f, const X& nx, const Y& ny) {
  return EnclosingRectangle{span(f, nx, ny), span(f, -ny, nx), square(nx) + square(ny)};
}

// A direction that a side of the least rectangle may have: a side of either box, or from a corner of one to a corner of
// the other. Numbers that say which: n is this combination of the pose.
template <Real T> struct Candidate {
  T centre, i, j, k, l;  // the centre, and signs of the half sides of prediction and target
  T turned, level;       // the prediction's width, the target's width

  template <class P> FASTIOU_HD auto x(const P& f) const {
    return f.x * centre + product(f.pw, f.c) * i - product(f.ph, f.s) * j - f.gw * k + f.c * turned + level;
  }
  template <class P> FASTIOU_HD auto y(const P& f) const {
    return f.y * centre + product(f.pw, f.s) * i + product(f.ph, f.c) * j - f.gh * l + f.s * turned;
  }
};

// One side of the least rectangle lies along a side of the hull (Freeman & Shapira, CACM 1975); any direction gives a
// rectangle that encloses, so those that are no sides of it do no harm.
template <Real T> using Numbers = PoseNumbers<T, T, T, T, T, T, T, T>;

template <Real T>
FASTIOU_HD void take_if_less(const Numbers<T>& f, const Candidate<T>& c, T tie2, T margin, T& least,
                             Candidate<T>& best) {
  const auto r = rectangle_along(f, c.x(f), c.y(f));
  const T area = r.n2 > tie2 ? r.area() * margin : kInfinity<T>;
  const bool better = area < least;
  best.centre = better ? c.centre : best.centre;
  best.i = better ? c.i : best.i, best.j = better ? c.j : best.j;
  best.k = better ? c.k : best.k, best.l = better ? c.l : best.l;
  best.turned = better ? c.turned : best.turned, best.level = better ? c.level : best.level;
  least = better ? area : least;
}

// Corners that coincide but for rounding have no direction, and sides of the boxes go before what is better by rounding
// alone.
template <Real T> FASTIOU_HD Candidate<T> least_direction(const Pose<T>& pose) {
  constexpr T epsilon = std::is_same_v<T, float> ? T(0x1p-23) : T(0x1p-52), h = T(0.5);
  const auto f = numbers_of<false>(pose);
  const T tie2 = square(8 * epsilon * (f.pw + f.ph + f.gw + f.gh));
  Candidate<T> best{0, 0, 0, 0, 0, 0, 1};
  T least = rectangle_along(f, T(1), T(0)).area();
  take_if_less(f, Candidate<T>{0, 0, 0, 0, 0, 1, 0}, T(0), T(1), least, best);
  FASTIOU_UNROLL_ON_CPU
  for (int n = 0; n < 16; ++n)
    take_if_less(f, Candidate<T>{1, n & 1 ? h : -h, n & 2 ? h : -h, n & 4 ? h : -h, n & 8 ? h : -h, 0, 0}, tie2,
                 1 + 8 * epsilon, least, best);
  return best;
}

}  // namespace detail

// Along which a side of the rectangle lies, in the target's frame; of any length.
template <class X, class Y> struct EnclosingDirection {
  X x;
  Y y;
};
template <Enclosing kEnclosing, bool kGrad, Real T> FASTIOU_HD auto enclosing_direction(const Pose<T>& f) {
  if constexpr (kEnclosing == Enclosing::min) {
    const auto numbers = numbers_of<kGrad>(f);
    const detail::Candidate<T> n = detail::least_direction(f);
    return EnclosingDirection{n.x(numbers), n.y(numbers)};
  } else if constexpr (kEnclosing == Enclosing::target) {
    return EnclosingDirection{pose_constant<kGrad>(T(1)), pose_constant<kGrad>(T(0))};
  } else {
    const T s = f.gs * f.mirror;  // the x axis of the picture, as the target sees it
    return EnclosingDirection{pose_number<kGrad, by::angle>(f.gc, -f.gs),
                              pose_number<kGrad, by::angle>(-s, -f.gc * f.mirror)};
  }
}
template <Enclosing kEnclosing, bool kGrad, Real T> FASTIOU_HD auto enclosing_rectangle(const Pose<T>& f) {
  const auto n = enclosing_direction<kEnclosing, kGrad>(f);
  return detail::rectangle_along(numbers_of<kGrad>(f), n.x, n.y);
}

// The largest squared distance of two points of the hull, which are corners.
template <bool kGrad, Real T> FASTIOU_HD auto hull_diameter2(const Pose<T>& f) {
  const auto n = numbers_of<kGrad>(f);
  const auto p = times(0.5, n.pw);
  const auto q = times(0.5, n.ph);
  const auto a = times(0.5, n.gw);
  const auto b = times(0.5, n.gh);
  const auto pc = product(p, n.c), ps = product(p, n.s);
  const auto qc = product(q, n.c), qs = product(q, n.s);
  const auto x0 = abs(n.x + (pc - qs)) + a;
  const auto y0 = abs(n.y + (ps + qc)) + b;
  const auto x1 = abs(n.x - (pc + qs)) + a;
  const auto y1 = abs(n.y - (ps - qc)) + b;
  const auto x2 = abs(n.x - (pc - qs)) + a;
  const auto y2 = abs(n.y - (ps + qc)) + b;
  const auto x3 = abs(n.x + (pc + qs)) + a;
  const auto y3 = abs(n.y + (ps - qc)) + b;
  const auto across = max(max(square(x0) + square(y0), square(x2) + square(y2)),
                          max(square(x1) + square(y1), square(x3) + square(y3)));
  return max(across, max(square(n.pw) + square(n.ph), square(n.gw) + square(n.gh)));
}

template <Enclosing kEnclosing, bool kGrad, Real T> FASTIOU_HD auto enclosing_area(const Pose<T>& f) {
  if constexpr (kEnclosing != Enclosing::hull) return enclosing_rectangle<kEnclosing, kGrad>(f).area();
  else if constexpr (kGrad) return hull_area_dual(f);
  else return hull_area(f);
}
template <Enclosing kEnclosing, bool kGrad, Real T> FASTIOU_HD auto enclosing_diagonal2(const Pose<T>& f) {
  if constexpr (kEnclosing == Enclosing::hull) return hull_diameter2<kGrad>(f);
  else return enclosing_rectangle<kEnclosing, kGrad>(f).diagonal2();
}

}  // namespace fastiou
