// One pair of rotated boxes, as every CPU and CUDA loop evaluates it, finite for all finite boxes.
#pragma once
#include "../math/link.h"
#include "../math/rotated_kinds.h"
#include "pair.h"

namespace fastiou {

// What is asked of pairs: a kind and its variant, and the link from there to the loss.
struct RotatedOptions {
  int64_t code = 0;
  int64_t link = 0;  // of Link
  double alpha = 1, tau = 0, eps = 0;
};

template <Real T> FASTIOU_HD T nan_unless_finite(const RotatedBox<T>& b) {
  return nan_unless_finite(b.x) + nan_unless_finite(b.y) + nan_unless_finite(b.w) + nan_unless_finite(b.h) +
         nan_unless_finite(b.angle);
}

// How far a box reaches from its centre along the axes, with a margin for rounding; NaN if a number is not finite.
template <Real T> struct Reach { T x, y; };
template <Real T> FASTIOU_HD Reach<T> reach_of(const RotatedBox<T>& b, const AngleUnit<T>& unit) {
  const Direction<T> d = direction(b.angle, unit);
  const T w = relu(b.w) * T(0.5), h = relu(b.h) * T(0.5), margin = T(1e-5) * (w + h) + nan_unless_finite(b);
  return {w * abs(d.c) + h * abs(d.s) + margin, w * abs(d.s) + h * abs(d.c) + margin};
}

// A box as it is written -> with a clockwise angle, and a gradient with respect to that back, saturated at the largest
// number of the tensor's own dtype. The unit of angles stays.
template <Real T> FASTIOU_HD RotatedBox<T> decode(Format format, RotatedBox<T> b) {
  b.angle = counterclockwise(format) ? -b.angle : b.angle;
  return b;
}
template <Real T> FASTIOU_HD RotatedBox<T> finish(Format format, T largest, const RotatedBox<T>& d) {
  const RotatedBox<T> b = decode(format, d);
  return {bounded(b.x, largest), bounded(b.y, largest), bounded(b.w, largest), bounded(b.h, largest),
          bounded(b.angle, largest)};
}

// A power of two by which areas and their products neither overflow nor vanish: 1 for ordinary sizes.
template <Real T> FASTIOU_HD T scale_of(const Pose<T>& f) {
  constexpr T least = std::is_same_v<T, float> ? T(0x1p-30) : T(0x1p-400);
  constexpr T most = std::is_same_v<T, float> ? T(0x1p60) : T(0x1p500);
  const T m = max(max(max(abs(f.x), abs(f.y)), max(f.pw, f.ph)), max(f.gw, f.gh));
  const bool ordinary = ((m >= least) & (m <= most)) | (m == 0);
  return ordinary ? T(1) : normalizer(m);
}

template <Real T> FASTIOU_HD RotatedBox<T> settle(const RotatedBox<T>& d, T poison) {
  return {settle(d.x, poison), settle(d.y, poison), settle(d.w, poison), settle(d.h, poison), settle(d.angle, poison)};
}

template <Around kAround, Enclosing kEnclosing, bool kGrad, Real T> FASTIOU_HD auto around(const Pose<T>& f) {
  if constexpr (kAround == Around::area) return enclosing_area<kEnclosing, kGrad>(f);
  else if constexpr (kAround == Around::diagonal2) return enclosing_diagonal2<kEnclosing, kGrad>(f);
  else return pose_constant<kGrad>(T(0));
}

}  // namespace fastiou
