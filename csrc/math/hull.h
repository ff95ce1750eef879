// The area of the convex hull of two rotated boxes, with partial derivatives.
//
// The normals of all eight edges cut the directions into sectors, and inside a sector each box has one corner that lies
// furthest out. The hull follows the box that lies further out at a sector's ends and crosses over where that changes,
// so it is known from eight comparisons, without sorting. A comparison that rounding has decided wrongly costs a
// sliver.
#pragma once
#include "rotated_box.h"

namespace fastiou {

template <Real T> struct HullPath {
  static constexpr int kSectors = 8, kPoints = 2 * kSectors;

  // The corners that lie furthest out in a sector, in sides from the centre. Between the normals of parallel sides
  // there is no angle, and either end of such a side is as far out as the other: its middle stands for both.
  T pw[kSectors], ph[kSectors], gw[kSectors], gh[kSectors];
  T px[kSectors], py[kSectors];  // the prediction's, in the target's frame
  T share[kSectors];             // of the prediction in the hull at the beginning of a sector: 1, 0, or 1/2 at a tie
  T x[kPoints], y[kPoints];      // the hull, two points a sector

  FASTIOU_HD explicit HullPath(const Pose<T>& f) {
    const T p = f.pw * T(0.5), q = f.ph * T(0.5), a = f.gw * T(0.5), b = f.gh * T(0.5);
    const T wide = p * f.c + q * f.s, high = p * f.s + q * f.c;
    const T x1 = f.x * f.c + f.y * f.s, y1 = f.y * f.c - f.x * f.s;  // the offset in the prediction's frame
    const T across = a * f.c + b * f.s, along = a * f.s + b * f.c;
    const T further[kSectors] = {wide + f.x - a, p + x1 - across, high + f.y - b, q + y1 - along,
                                 wide - f.x - a, p - x1 - across, high - f.y - b, q - y1 - along};
    // Rounding of those: a thin box reaches less far in one direction, where a tie is a smaller thing.
    const T tie[4] = {rounding(wide + abs(f.x) + a), rounding(p + abs(x1) + across), rounding(high + abs(f.y) + b),
                      rounding(q + abs(y1) + along)};
    const T apart = are_parallel(f) ? T(0) : T(0.5);
    FASTIOU_UNROLL
    for (int k = 0; k < kSectors; ++k) {
      share[k] = (further[k] > tie[k % 4] ? T(0.5) : T(0)) + (further[k] >= -tie[k % 4] ? T(0.5) : T(0));
      const int i = (k + 7) / 2 % 4, j = k / 2;  // corners in turn: + +, - +, - -, + -
      const T w = k % 4 == 2 ? apart : T(0.5), h = k % 4 == 0 ? apart : T(0.5);
      pw[k] = i == 0 || i == 3 ? w : -w, ph[k] = i < 2 ? h : -h;
      gw[k] = j == 0 || j == 3 ? w : -w, gh[k] = j < 2 ? h : -h;
      px[k] = f.x + (pw[k] * f.pw * f.c - ph[k] * f.ph * f.s), py[k] = f.y + (pw[k] * f.pw * f.s + ph[k] * f.ph * f.c);
    }
    FASTIOU_UNROLL
    for (int n = 0; n < kPoints; ++n) {
      const int k = n / 2;
      const T s = share_at(n), g = T(1) - s;
      x[n] = s * px[k] + g * (gw[k] * f.gw), y[n] = s * py[k] + g * (gh[k] * f.gh);
    }
  }

  // Of the prediction in a point: its sector begins or ends there.
  FASTIOU_HD T share_at(int n) const { return share[n % 2 == 0 ? n / 2 : (n / 2 + 1) % kSectors]; }

  // Half the way from the point before to the one after.
  FASTIOU_HD T way_x(int n) const { return T(0.5) * (x[(n + 1) % kPoints] - x[(n + kPoints - 1) % kPoints]); }
  FASTIOU_HD T way_y(int n) const { return T(0.5) * (y[(n + 1) % kPoints] - y[(n + kPoints - 1) % kPoints]); }

  // The sum of term(n) over all points, in halves: opposite points first. Terms that are equal, as all are where boxes
  // agree, are added without rounding.
  template <class Term> FASTIOU_HD static auto sum(const Term& term) {
    const auto even = ((term(0) + term(8)) + (term(4) + term(12))) + ((term(2) + term(10)) + (term(6) + term(14)));
    const auto odd = ((term(1) + term(9)) + (term(5) + term(13))) + ((term(3) + term(11)) + (term(7) + term(15)));
    return even + odd;
  }
};

namespace detail {

template <Real T> struct AreaTerm {
  const HullPath<T>& path;
  FASTIOU_HD T operator()(int n) const { return product(path.x[n], path.way_y(n)); }
};

// A point that moves by (dx, dy) changes the area by the cross product with half the way between its neighbours.
template <Real T> struct GradientTerm {
  const HullPath<T>& path;
  const Pose<T>& f;
  FASTIOU_HD PoseDual<T, kPoseMask> operator()(int n) const {
    const int k = n / 2;
    const T dx = path.way_y(n), dy = -path.way_x(n), share = path.share_at(n);
    const T px = share * dx, py = share * dy, gx = dx - px, gy = dy - py;
    return {0,
            {px, py, path.pw[k] * (px * f.c + py * f.s), path.ph[k] * (py * f.c - px * f.s), path.gw[k] * gx,
             path.gh[k] * gy, py * (path.px[k] - f.x) - px * (path.py[k] - f.y), 0}};
  }
};

}  // namespace detail

template <Real T> FASTIOU_HD T hull_area(const Pose<T>& f) {
  const HullPath<T> path(f);
  return HullPath<T>::sum(detail::AreaTerm<T>{path});
}

template <Real T> FASTIOU_HD PoseDual<T, kPoseMask> hull_area_dual(const Pose<T>& f) {
  const HullPath<T> path(f);
  PoseDual<T, kPoseMask> r = HullPath<T>::sum(detail::GradientTerm<T>{path, f});
  r.v = HullPath<T>::sum(detail::AreaTerm<T>{path});
  return r;
}

}  // namespace fastiou
