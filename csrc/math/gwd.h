#pragma once
#include "gaussian.h"

namespace fastiou {

// The squared Gaussian Wasserstein distance. Yang et al., "Rethinking Rotated Object Detection with Gaussian
// Wasserstein Distance Loss", ICML 2021, eqs. 3-6; the trace of the mixed root by that of its square, for 2 x 2
// matrices.
struct GWD {
  static constexpr const char* name = "gwd";
  template <class P> FASTIOU_HD static auto score(const P& f) {
    const auto mixed = times(0.25, product(f.pw, f.gw) + product(f.ph, f.gh));
    const auto twist = times(1.0 / 16, gaussian::twist(f));
    const auto turned = divide(twist, mixed + sqrt(relu(square(mixed) - twist)));
    return square(f.x) + square(f.y) + times(0.25, square(f.pw - f.gw) + square(f.ph - f.gh)) + times(2, turned);
  }
};

// The same in units of the boxes' size, (w h W H)^(1/4): it does not change when a picture is scaled.
struct NormalizedGWD {
  static constexpr const char* name = "gwd_normalized";
  template <class P> FASTIOU_HD static auto score(const P& f) {
    return divide(GWD::score(f), sqrt(product(product(f.pw, f.gw), product(f.ph, f.gh))));
  }
};

}  // namespace fastiou
