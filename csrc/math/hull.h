// The convex hull of two rotated boxes: its area, with partial derivatives, and its diameter.
//
// The normals of all eight edges cut the directions into sectors, and inside a sector each box has one corner that lies
// furthest out. The hull follows the box that lies further out at a sector's ends and crosses over where that changes, so
// it is known from eight comparisons, without sorting. A comparison that rounding has decided wrongly costs a sliver.
#pragma once
#include "rotated_box.h"

namespace fastiou {

template <Real T> struct HullPath {
  static constexpr int kSectors = 8;
  // Which corner lies furthest out in a sector: signs of width and height, by turns of the corner.
  FASTIOU_HD static constexpr int prediction_corner(int sector) { return (sector + 7) / 2 % 4; }
  FASTIOU_HD static constexpr int target_corner(int sector) { return sector / 2; }
  FASTIOU_HD static constexpr T sign_w(int corner) { return corner == 0 || corner == 3 ? T(0.5) : T(-0.5); }
  FASTIOU_HD static constexpr T sign_h(int corner) { return corner < 2 ? T(0.5) : T(-0.5); }

  T px[4], py[4], gx[4], gy[4];  // corners, in the target's frame
  T share[kSectors];             // of the prediction in the hull at the beginning of a sector: 1, 0, or 1/2 at a tie
  T x[2 * kSectors], y[2 * kSectors];  // the hull, two points a sector

  FASTIOU_HD explicit HullPath(const Pose<T>& f) {
    constexpr T epsilon = std::is_same_v<T, float> ? T(0x1p-23) : T(0x1p-52);
    const T p = f.pw * T(0.5), q = f.ph * T(0.5), a = f.gw * T(0.5), b = f.gh * T(0.5);
    const T tie = 8 * epsilon * (p + q + a + b), wide = p * f.c + q * f.s, high = p * f.s + q * f.c;
    const T x1 = f.x * f.c + f.y * f.s, y1 = f.y * f.c - f.x * f.s;  // the offset in the prediction's frame
    const T across = a * f.c + b * f.s, along = a * f.s + b * f.c;
    const T further[kSectors] = {f.x + wide - a,  p + x1 - across, f.y + high - b,  q + y1 - along,
                                 wide - f.x - a, p - x1 - across, high - f.y - b, q - y1 - along};
    FASTIOU_UNROLL
    for (int k = 0; k < kSectors; ++k)
      share[k] = (further[k] > tie ? T(0.5) : T(0)) + (further[k] >= -tie ? T(0.5) : T(0));
    FASTIOU_UNROLL
    for (int k = 0; k < 4; ++k) {
      const T w = sign_w(k) * f.pw, h = sign_h(k) * f.ph;
      px[k] = f.x + (w * f.c - h * f.s), py[k] = f.y + (w * f.s + h * f.c);
      gx[k] = sign_w(k) * f.gw, gy[k] = sign_h(k) * f.gh;
    }
    FASTIOU_UNROLL
    for (int k = 0; k < kSectors; ++k) {
      const int i = prediction_corner(k), j = target_corner(k);
      const T from = share[k], to = share[(k + 1) % kSectors];
      x[2 * k] = mix(from, px[i], gx[j]), y[2 * k] = mix(from, py[i], gy[j]);
      x[2 * k + 1] = mix(to, px[i], gx[j]), y[2 * k + 1] = mix(to, py[i], gy[j]);
    }
  }

  FASTIOU_HD static T mix(T share, T p, T g) { return share * p + (T(1) - share) * g; }

  FASTIOU_HD T area() const {
    T sum = 0;
    FASTIOU_UNROLL
    for (int i = 0; i < 2 * kSectors; ++i) {
      const int next = (i + 1) % (2 * kSectors);
      sum += product(x[i], y[next]) - product(y[i], x[next]);
    }
    return sum * T(0.5);
  }
};

template <Real T> FASTIOU_HD T hull_area(const Pose<T>& f) { return HullPath<T>(f).area(); }

// A point of the path that moves by (dx, dy) changes the area by half the cross product with the way between its neighbours.
template <Real T> FASTIOU_HD PoseDual<T, kPoseMask> hull_area_dual(const Pose<T>& f) {
  using Path = HullPath<T>;
  const Path path(f);
  PoseDual<T, kPoseMask> r;
  r.v = path.area();
  FASTIOU_UNROLL
  for (int k = 0; k < by::count; ++k) r.d[k] = 0;
  FASTIOU_UNROLL
  for (int n = 0; n < 2 * Path::kSectors; ++n) {
    constexpr int points = 2 * Path::kSectors;
    const int next = (n + 1) % points, last = (n + points - 1) % points, k = n / 2;
    const T dx = T(0.5) * (path.y[next] - path.y[last]), dy = T(-0.5) * (path.x[next] - path.x[last]);
    const T share = path.share[n % 2 == 0 ? k : (k + 1) % Path::kSectors];
    const int i = Path::prediction_corner(k), j = Path::target_corner(k);
    const T px = share * dx, py = share * dy, gx = dx - px, gy = dy - py;
    r.d[by::x] += px;
    r.d[by::y] += py;
    r.d[by::pw] += Path::sign_w(i) * (px * f.c + py * f.s);
    r.d[by::ph] += Path::sign_h(i) * (py * f.c - px * f.s);
    r.d[by::gw] += Path::sign_w(j) * gx;
    r.d[by::gh] += Path::sign_h(j) * gy;
    r.d[by::turn] += py * (path.px[i] - f.x) - px * (path.py[i] - f.y);
  }
  return r;
}

}  // namespace fastiou
