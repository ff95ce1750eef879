// PIoU out of sums over pixels (Chen et al., "PIoU Loss", ECCV 2020).
#pragma once
#include "raster.h"

namespace fastiou {

template <Real T> FASTIOU_HD CentredBox<T> operator*(const CentredBox<T>& d, T x) {
  return {d.x * x, d.y * x, d.rx * x, d.ry * x, d.angle * x};
}
template <Real T> FASTIOU_HD CentredBox<T> operator-(const CentredBox<T>& a, const CentredBox<T>& b) {
  return {a.x - b.x, a.y - b.y, a.rx - b.rx, a.ry - b.ry, a.angle - b.angle};
}
// A gradient on a raster -> with respect to the box as it is.
template <Real T> FASTIOU_HD CentredBox<T> unscaled(const CentredBox<T>& d, T scale) {
  return {d.x * scale, d.y * scale, d.rx * scale, d.ry * scale, d.angle};
}

// A number that depends on a box, and its gradient.
template <Real T> struct OfBox {
  T value;
  CentredBox<T> d;
};

// What a box adds to the union beside the intersection: w h (Eq. 13).
template <Real T> FASTIOU_HD OfBox<T> plain_area(const RasterBox<T>& b) {
  return {T(4) * b.rx * b.ry, {0, 0, T(4) * b.ry, T(4) * b.rx, 0}};
}

// I / (S1 + S2 - I), with the sum of F over each box (Eq. 12) or its area (Eq. 13) for S. The union is no less than the
// intersection, which for areas has to be said: soft pixels of tiny boxes sum up to more than those.
template <Real T> FASTIOU_HD T piou(T intersection, T s1, T s2) {
  return divide(intersection, max(s1 + s2 - intersection, intersection));
}
// Its gradient with respect to the box whose intersection and S these are.
template <Real T>
FASTIOU_HD CentredBox<T> piou_gradient(const OfBox<T>& intersection, const OfBox<T>& own, T other) {
  const T i = intersection.value, u = own.value + other - i, q = divide(i, u);
  const CentredBox<T> d = intersection.d * (T(1) + q) - own.d * q;
  return d * (u > i ? T(1) / u : T(0));
}

}  // namespace fastiou
