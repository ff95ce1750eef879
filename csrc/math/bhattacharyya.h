#pragma once
#include "gaussian.h"

namespace fastiou {

namespace gaussian {

// Bhattacharyya distance; `precision` is 1 for covariances with w^2 / 4, and 3 for those with w^2 / 12.
template <class P> FASTIOU_HD auto bhattacharyya(const P& f, double precision) {
  const auto offset = square(product(f.ph, offset_x(f))) + square(product(f.pw, offset_y(f))) +
                      square(product(f.gh, f.x)) + square(product(f.gw, f.y));
  const auto widths = divide(square(f.pw - f.gw), times(2, product(f.pw, f.gw)));
  const auto heights = divide(square(f.ph - f.gh), times(2, product(f.ph, f.gh)));
  const auto turned = divide(twist(f), untwisted_determinant(f));
  return times(precision, divide(offset, determinant(f))) +
         times(0.5, log1p(widths) + log1p(heights) + log1p(turned));
}

}  // namespace gaussian

// Bhattacharyya distance of the boxes' distributions: Yang et al., "Detecting Rotated Objects as Gaussian Distributions
// and its 3-D Generalization", TPAMI 2022.
struct BCD {
  static constexpr const char* name = "bcd";
  template <class P> FASTIOU_HD static auto score(const P& f) { return gaussian::bhattacharyya(f, 1); }
};

// The same for covariances of uniform boxes, w^2 / 12: ProbIoU's -ln(1 - H^2).
struct UniformBCD {
  static constexpr const char* name = "bcd_uniform";
  template <class P> FASTIOU_HD static auto score(const P& f) { return gaussian::bhattacharyya(f, 3); }
};

// ProbIoU: 1 minus the Hellinger distance H of those. Llerena et al., "Gaussian Bounding Boxes and Probabilistic
// Intersection-over-Union for Object Detection", 2021, eqs. 7-10. The eps is that of Ultralytics: it keeps the gradient
// finite where boxes agree, and ProbIoU below 1.
struct ProbIoU {
  static constexpr const char* name = "probiou";
  template <class P> FASTIOU_HD static auto score(const P& f) {
    using T = decltype(value(f.pw));
    constexpr T eps = T(1e-7);
    return 1 - sqrt(-expm1(-UniformBCD::score(f)) + eps);
  }
};

}  // namespace fastiou
