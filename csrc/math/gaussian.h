// Boxes as normal distributions: centre, and covariance R diag(w^2, h^2) R^T / 4.
//
// Distances between those stand in gwd.h and its neighbours in closed form: no term is a difference of large ones. The
// determinants and traces of covariances, by which they are usually written, lose all digits of thin boxes in float32.
#pragma once
#include "rotated_box.h"

namespace fastiou {

// Sides that distributions have, as in MMRotate; and how far apart they are at most, so that no square overflows.
template <Real T> constexpr T kLeastSide = T(1e-7);
template <Real T> constexpr T kMostSide = T(1e7);
template <Real T> constexpr T kFarthest = std::is_same_v<T, float> ? T(1e11) : T(1e100);

// A pose of such sides, times alpha.
template <Real T> FASTIOU_HD Pose<T> as_gaussian(Pose<T> f, T alpha) {
  constexpr T least = kLeastSide<T>, most = kMostSide<T>;
  f.pw = clamp(f.pw, least, most) * alpha, f.ph = clamp(f.ph, least, most) * alpha;
  f.gw = clamp(f.gw, least, most) * alpha, f.gh = clamp(f.gh, least, most) * alpha;
  f.x = clamp(f.x, -kFarthest<T>, kFarthest<T>), f.y = clamp(f.y, -kFarthest<T>, kFarthest<T>);
  return f;
}

// The numbers of a pose are those of a `PoseNumbers`.
namespace gaussian {

// (w^2 - h^2)(W^2 - H^2) sin^2 t: all that the angle t between two boxes does.
template <class P> FASTIOU_HD auto twist(const P& f) {
  return product(product(product(f.pw - f.ph, f.pw + f.ph), product(f.gw - f.gh, f.gw + f.gh)), square(f.s));
}

// The offset of the centres in the prediction's frame.
template <class P> FASTIOU_HD auto offset_x(const P& f) { return product(f.x, f.c) + product(f.y, f.s); }
template <class P> FASTIOU_HD auto offset_y(const P& f) { return product(f.y, f.c) - product(f.x, f.s); }

// 16 times the determinant of the sum of both covariances, and that without the angle.
template <class P> FASTIOU_HD auto untwisted_determinant(const P& f) {
  return product(square(f.pw) + square(f.gw), square(f.ph) + square(f.gh));
}
template <class P> FASTIOU_HD auto determinant(const P& f) { return untwisted_determinant(f) + twist(f); }

}  // namespace gaussian
}  // namespace fastiou
